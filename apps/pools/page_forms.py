"""Forms of the portal's own pages of pools and hosts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from django import forms
from django.core.exceptions import NON_FIELD_ERRORS
from django.utils.translation import gettext_lazy as _

from apps.pools import hosts, people, ranges
from apps.pools.forms import FormatForm, HostForm, OptionsForm, PoolForm, told_in
from apps.pools.models import Standing, WorkerHost, WorkerPool
from apps.pools.ranges import Part
from apps.teams.actors import Actor

TEXTS = {
    "name": _("Stands in addresses and commands: small letters, digits, and single hyphens between them."),
    "description": _("One line: what it is for, and where its hosts are."),
    "takes_new_hosts": _("Otherwise each has to be approved, or to come with a key."),
    "users_per_worker": _("Advice for plans: so many users a Locust process carries well here."),
    "first_port": _("Where Locust masters of this pool may listen, as a firewall needs it. Both empty: any free port."),
    "teams": _("All their projects may use it."),
    "projects": _("Beside the teams above."),
}


class Picker(NamedTuple):
    """A field for a few of very many, none of which the page brings along but those that are chosen."""

    field: forms.BoundField
    choices: list[people.Choice]
    find: str
    """What its search is called."""


class PoolSettingsForm(OptionsForm):
    """A pool but for its IDs."""

    class Meta(OptionsForm.Meta):
        help_texts = TEXTS

    def pickers(self) -> list[Picker]:
        """Who may use it; two queries."""
        return pickers(self)


class PoolNewForm(PoolForm):
    """All of a pool."""

    class Meta(PoolForm.Meta):
        help_texts = {**TEXTS, **FormatForm.Meta.help_texts}

    def pickers(self) -> list[Picker]:
        """Who may use it; two queries."""
        return pickers(self)


def pickers(form: OptionsForm) -> list[Picker]:
    """Of the teams and the projects that are chosen in the form now."""
    words = {"teams": _("Find a team"), "projects": _("Find a project")}
    return [
        Picker(form[kind], people.chosen(kind, form[kind].value() or []), str(word)) for kind, word in words.items()
    ]


class HostPageForm(HostForm):
    """What is set of a host, with its IDs."""

    first = forms.IntegerField(label=_("First number"), required=False)
    last = forms.IntegerField(label=_("Last number"), required=False)

    class Meta(HostForm.Meta):
        help_texts = {
            "max_users": _("Of all its Locust processes together. Empty: no limit."),
            "address": _("Name or IP under which other hosts of the pool reach it. Empty: as it says itself."),
            "link_mbit": _("Mbit/s. Empty: as it says itself, if it can."),
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        cores = self.instance.cores
        text = _("Locust processes at once. Empty: one a core, and it has %(cores)d; more slow each other down.")
        self.fields["slots"].help_text = text % {"cores": cores}
        self.fields["slots"].widget.attrs["data-cores"] = cores


class MoveForm(forms.Form):
    """Which pool a host is to be in."""

    to = forms.ModelChoiceField(WorkerPool.objects.none(), label=_("To the pool"), empty_label=None)

    def __init__(self, data: Any, *, host: WorkerHost) -> None:
        super().__init__(data)
        self.host = host
        field = self.fields["to"]
        assert isinstance(field, forms.ModelChoiceField)
        field.queryset = WorkerPool.objects.exclude(pk=host.pool_id).order_by("name")

    def write(self, *, by: Actor) -> WorkerHost:
        """Move it, by a form that is valid."""
        return hosts.move(host=self.host, to=self.cleaned_data["to"], by=by)


class JoinForm(forms.Form):
    """What the new host is to be called."""

    host_name = forms.CharField(
        label=_("Name of the host"),
        max_length=100,
        help_text=_("Any that no other host has. It stays with the machine."),
        widget=forms.TextInput(attrs={"placeholder": "loadgen-01", "autocomplete": "off"}),
    )


class Choice(NamedTuple):
    """A host that may take part; `ids` as it has them now."""

    host: WorkerHost
    is_chosen: bool
    ids: str


class Line(NamedTuple):
    """What a slot would get; `is_first` of its host."""

    host: WorkerHost
    slot: int
    first: str
    last: str
    size: int
    offset: int
    is_first: bool


def _ids(host: WorkerHost) -> str:
    span = ranges.own_span(host)
    return f"{host.pool.id_text(span.first)} – {host.pool.id_text(span.last)}" if span else ""


class SplitForm(forms.Form):
    """Which IDs go to which hosts."""

    first = forms.IntegerField(label=_("First number"), required=False)
    last = forms.IntegerField(label=_("Last number"), required=False)
    hosts = forms.ModelMultipleChoiceField(
        WorkerHost.objects.none(), label=_("Hosts"), required=False, widget=forms.CheckboxSelectMultiple
    )

    def __init__(self, data: Any, *, pool: WorkerPool) -> None:
        approved = pool.hosts.exclude(standing=Standing.PENDING).order_by("name")
        initial = {"first": pool.first_id, "last": pool.last_id, "hosts": [host.pk for host in approved]}
        super().__init__(data, initial=initial)
        self.pool = pool
        field = self.fields["hosts"]
        assert isinstance(field, forms.ModelMultipleChoiceField)
        field.queryset = approved

    def preview(self) -> list[Part]:
        """What each slot would get; none for a form that did not come, or is refused."""
        return self.preview_again() if self.is_bound and self.is_valid() else []

    def preview_again(self) -> list[Part]:
        """As it is now, of a form that was valid."""
        parts: list[Part] = []
        with told_in(self):
            parts += ranges.preview_split(pool=self.pool, **self._wanted())
        return parts

    @property
    def has_field_errors(self) -> bool:
        """It cannot be split like that, as opposed to: not any more as it was shown."""
        return bool(self.errors.keys() - {NON_FIELD_ERRORS})

    def is_split(self, *, as_seen: str, by: Actor) -> bool:
        """Give the IDs to the hosts; a refusal stands in the form."""
        with told_in(self):
            ranges.split_evenly(pool=self.pool, **self._wanted(), as_seen=as_seen, by=by)
        return not self.errors

    def choices(self) -> list[Choice]:
        """The hosts to choose from, by name."""
        chosen = {str(pk) for pk in self["hosts"].value() or []}
        hosts = self.pool.hosts.select_related("pool", "id_range").exclude(standing=Standing.PENDING)
        return [Choice(host, str(host.pk) in chosen, _ids(host)) for host in hosts.order_by("name")]

    def rows(self, parts: Sequence[Part]) -> list[Line]:
        """The preview as a table."""
        lines, before = [], None
        for host, slot, span in parts:
            first, last = self.pool.id_text(span.first), self.pool.id_text(span.last)
            lines.append(Line(host, slot, first, last, span.size, span.first - 1, host != before))
            before = host
        return lines

    def _wanted(self) -> dict[str, Any]:
        return {name: self.cleaned_data[name] for name in ("first", "last")} | {"hosts": self.cleaned_data["hosts"]}
