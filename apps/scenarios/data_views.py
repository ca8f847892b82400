"""The tab Data of a scenario, and the page of one data file."""

from __future__ import annotations

from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import FileResponse, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from apps.core.errors import HatcheryError
from apps.scenarios import data_limits, data_services, selectors
from apps.scenarios.data_check import MB
from apps.scenarios.data_download import chosen_version, download
from apps.scenarios.data_forms import DataSettingsForm, DataUploadForm
from apps.scenarios.data_preview import preview
from apps.scenarios.models import AtEnd, DataFile, DataFileVersion, Distribution, Scenario
from apps.scenarios.views import frame
from apps.teams import roles
from apps.teams.access import get_for
from apps.teams.forms import take_errors
from apps.teams.pages import PageRequest

VERSIONS_A_PAGE = 50
COLUMNS_SAID = 5
NAME_CHARS = 40


@login_required
@require_http_methods(["GET", "POST"])
def data(request: PageRequest, pk: UUID) -> HttpResponse:
    """The data files of a scenario; a POST uploads one. With JavaScript the page uploads through REST."""
    wanted = roles.SCENARIO_EDIT if request.method == "POST" else roles.VIEW
    scenario = get_for(request.actor, Scenario, wanted, pk=pk)
    form = DataUploadForm(request.POST or None, request.FILES or None)
    if request.method == "POST" and form.is_valid():
        try:
            version, is_new = data_services.upload(scenario=scenario, by=request.actor, **form.wanted)
        except HatcheryError as refused:
            take_errors(form, refused)
        else:
            _tell_uploaded(request, version, is_new=is_new)
            return redirect("scenarios:data", pk)
    context = {
        **frame(request, scenario, "data"),
        "form": form,
        "versions": selectors.newest_data(scenario),
        "usage": data_limits.usage(scenario),
        "file_limit": settings.DATA_FILE_MB * MB,
        "distributions": Distribution.choices,
        "ends": AtEnd.choices,
    }
    return render(request, "scenarios/data.html", context)


@login_required
@require_http_methods(["GET", "POST"])
def data_file(request: PageRequest, pk: UUID, name: str) -> HttpResponse:
    """One data file: its first rows, its versions. A POST changes how it is handed out."""
    file = _file(request, pk, name, roles.SCENARIO_EDIT if request.method == "POST" else roles.VIEW)
    initial = {"distribution": file.distribution, "at_end": file.at_end}
    form = DataSettingsForm(request.POST or None, initial=initial)
    if request.method == "POST" and form.is_valid():
        try:
            data_services.change(file=file, by=request.actor, **form.cleaned_data)
        except HatcheryError as refused:
            take_errors(form, refused)
        else:
            messages.success(request, _("Saved; the next run takes %(name)s like this.") % {"name": name})
            return redirect("scenarios:data", pk)
    shown = chosen_version(file, request.GET.get("version"))
    context = {
        **frame(request, file.scenario, "data"),
        "file": file,
        "form": form,
        "shown": shown,
        "newest": data_services.newest(file),
        "preview": preview(shown),
        "page": Paginator(file.versions.all(), VERSIONS_A_PAGE).get_page(request.GET.get("page")),
    }
    return render(request, "scenarios/data_file.html", context)


@login_required
@require_http_methods(["GET", "POST"])
def data_delete(request: PageRequest, pk: UUID, name: str) -> HttpResponse:
    """Says what goes with it; a POST deletes."""
    file = _file(request, pk, name, roles.SCENARIO_EDIT)
    if request.method == "POST":
        data_services.delete(file=file, by=request.actor)
        messages.success(request, _("“%(name)s” is deleted.") % {"name": name})
        return redirect("scenarios:data", pk)
    context = {**frame(request, file.scenario, "data"), "file": file, "count": file.versions.count()}
    return render(request, "scenarios/data_delete.html", context)


@login_required
@require_POST
def data_restore(request: PageRequest, pk: UUID, name: str) -> HttpResponse:
    """Make the version in `version` the newest."""
    file = _file(request, pk, name, roles.SCENARIO_EDIT)
    version = chosen_version(file, request.POST.get("version", ""))
    made, is_new = data_services.restore(version=version, by=request.actor)
    if is_new:
        numbers = {"old": version.number, "new": made.number}
        messages.success(request, _("Version %(old)d is the newest again, as version %(new)d.") % numbers)
    else:
        messages.info(request, _("Nothing changed: version %(number)d has the same content.") % {"number": made.number})
    return redirect("scenarios:data_file", pk, name)


@login_required
@require_GET
def data_content(request: PageRequest, pk: UUID, name: str) -> FileResponse:
    """Download a version as it was uploaded."""
    return download(chosen_version(_file(request, pk, name), request.GET.get("version")))


def _file(request: PageRequest, pk: UUID, name: str, permission: str = roles.VIEW) -> DataFile:
    return get_for(request.actor, DataFile, permission, scenario_id=pk, name=name, deleted_at=None)


def _tell_uploaded(request: PageRequest, version: DataFileVersion, *, is_new: bool) -> None:
    facts = {"name": version.file.name, "number": version.number}
    if is_new:
        messages.success(request, _("%(name)s is there, as version %(number)d.") % facts + _columns(version))
    else:
        messages.info(request, _("Nothing changed: version %(number)d of %(name)s has the same content.") % facts)


def _columns(version: DataFileVersion) -> str:
    """So many that a row of data is seen which was taken for the header; as `data.js` says it."""
    if not version.columns:
        return ""
    names = [
        name if len(name) <= NAME_CHARS else f"{name[: NAME_CHARS - 1]}…" for name in version.columns[:COLUMNS_SAID]
    ]
    more = ["…"] if len(version.columns) > COLUMNS_SAID else []
    return " " + _("Columns: %(columns)s.") % {"columns": ", ".join([*names, *more])}
