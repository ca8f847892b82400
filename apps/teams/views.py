"""Pages of a team: members, API tokens, and the settings of its projects."""

from __future__ import annotations

from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods

from apps.core.errors import Conflict, Invalid
from apps.teams import roles, selectors, services
from apps.teams.access import get_for, list_for, may
from apps.teams.forms import ProjectForm, TokenForm, take_errors
from apps.teams.models import ApiToken, Membership, Project, Team
from apps.teams.pages import PageRequest

ROWS_SHOWN = 500
"""Members and tokens of one team; a team is people who know each other."""


@login_required
@require_GET
def members(request: PageRequest, slug: str) -> HttpResponse:
    """Who is in the team, and as what."""
    team = get_for(request.actor, Team, slug=slug)
    rows = list_for(request.actor, Membership).filter(team=team).select_related("user").order_by("user__username")
    context = {"team": team, "members": rows[:ROWS_SHOWN], "roles": roles.Role, "tab": "members"}
    return render(request, "teams/members.html", {**context, **_rights(request, team)})


@login_required
@never_cache
@require_http_methods(["GET", "POST"])
def tokens(request: PageRequest, slug: str) -> HttpResponse:
    """The tokens and the form for a new one; its secret is in the answer to the POST and nowhere else."""
    team = get_for(request.actor, Team, roles.TOKEN_MANAGE, slug=slug)
    form = TokenForm(request.POST or None, team=team)
    made: tuple[ApiToken, str] | None = None
    if request.method == "POST" and form.is_valid():
        try:
            made = _create_token(request, team, form)
        except Invalid as refused:
            take_errors(form, refused)
        else:
            form = TokenForm(team=team)
    rows = list_for(request.actor, ApiToken).filter(team=team).select_related("project", "created_by")
    token, secret = made or (None, "")
    context = {
        "team": team,
        "form": form,
        "tokens": rows[:ROWS_SHOWN],
        "made": token,
        "secret": secret,
        "tab": "tokens",
    }
    return render(request, "teams/tokens.html", {**context, **_rights(request, team)})


def _create_token(request: PageRequest, team: Team, form: TokenForm) -> tuple[ApiToken, str]:
    return services.create_token(
        team=team,
        name=form.cleaned_data["name"],
        scope=form.cleaned_data["scope"],
        project=form.cleaned_data["project"],
        expires_at=form.moment_of_expiry(),
        by=request.actor,
    )


@login_required
@require_http_methods(["GET", "POST"])
def revoke_token(request: PageRequest, slug: str, pk: UUID) -> HttpResponse:
    """Asks first; a POST revokes."""
    token = get_for(request.actor, ApiToken, roles.TOKEN_MANAGE, team__slug=slug, pk=pk)
    if request.method == "POST":
        services.revoke_token(token=token, by=request.actor)
        messages.success(request, _("The token “%(name)s” is revoked.") % {"name": token.name})
        return redirect("teams:tokens", slug)
    context = {"team": token.team, "token": token, "tab": "tokens"}
    return render(request, "teams/token_revoke.html", {**context, **_rights(request, token.team)})


@login_required
@require_http_methods(["GET", "POST"])
def project_new(request: PageRequest, slug: str) -> HttpResponse:
    """A name is enough."""
    team = get_for(request.actor, Team, roles.PROJECT_EDIT, slug=slug)
    form = ProjectForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            project = services.create_project(team=team, **form.cleaned_data, by=request.actor)
        except Invalid as refused:
            take_errors(form, refused)
        else:
            return redirect("project", team.slug, project.slug)
    return render(request, "teams/project_new.html", {"team": team, "form": form})


@login_required
@require_http_methods(["GET", "POST"])
def project_settings(request: PageRequest, team_slug: str, project_slug: str) -> HttpResponse:
    """Name and description; the slug stays, so that links do."""
    project = get_for(request.actor, Project, roles.PROJECT_EDIT, team__slug=team_slug, slug=project_slug)
    initial = {"name": project.name, "description": project.description}
    form = ProjectForm(request.POST or None, initial=initial)
    if request.method == "POST" and form.is_valid():
        try:
            services.change_project(project=project, **form.cleaned_data, by=request.actor)
        except Invalid as refused:
            take_errors(form, refused)
        else:
            messages.success(request, _("Saved."))
            return redirect("project", project.team.slug, project.slug)
    return render(request, "teams/project_settings.html", {"project": project, "form": form})


@login_required
@require_http_methods(["GET", "POST"])
def project_delete(request: PageRequest, team_slug: str, project_slug: str) -> HttpResponse:
    """Says what goes with it; a POST deletes."""
    project = get_for(request.actor, Project, roles.PROJECT_EDIT, team__slug=team_slug, slug=project_slug)
    if request.method == "POST":
        try:
            services.delete_project(project=project, by=request.actor)
        except Conflict as refused:
            messages.error(request, refused.message)
            return redirect("teams:project_delete", team_slug, project_slug)
        messages.success(request, _("“%(name)s” is deleted.") % {"name": project.name})
        return redirect("home")
    context = {"project": project, "contents": selectors.contents(project)}
    return render(request, "teams/project_delete.html", context)


def _rights(request: PageRequest, team: Team) -> dict[str, bool]:
    return {
        "may_tokens": may(request.actor, roles.TOKEN_MANAGE, team),
        "may_projects": may(request.actor, roles.PROJECT_EDIT, team),
    }
