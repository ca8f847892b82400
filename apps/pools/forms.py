"""Forms of pools and hosts. They ask the services, and so refuse in the same words."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from apps.core.errors import HatcheryError
from apps.pools import access, hosts, pools, ranges
from apps.pools.models import WorkerHost, WorkerPool
from apps.teams.actors import Actor

OPTIONS = [
    "name",
    "description",
    "takes_new_hosts",
    "is_for_all",
    "teams",
    "projects",
    "users_per_worker",
    "first_port",
    "last_port",
]
FORMAT = ["id_prefix", "id_width", "first_id", "last_id"]


class OptionsForm(forms.ModelForm):  # type: ignore[type-arg]
    """A pool but for its IDs."""

    class Meta:
        model = WorkerPool
        fields = OPTIONS

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if not self.errors:
            with told_in(self):
                self.check(data)
        return data

    def check(self, data: dict[str, Any]) -> None:
        """Raises HatcheryError for what the services would refuse."""
        known = None if self.instance._state.adding else access.still_there(WorkerPool.objects.all(), self.instance)
        pools.check(options=_options(data), pool=known)

    def write(self, *, by: Actor) -> WorkerPool:
        """Make or change the pool, of a form that is valid."""
        options = _options(self.cleaned_data)
        if self.instance._state.adding:
            return pools.create(options=options, by=by)
        return pools.change(pool=self.instance, options=options, by=by)


class FormatForm(forms.ModelForm):  # type: ignore[type-arg]
    """What an ID of a pool is."""

    class Meta:
        model = WorkerPool
        fields = FORMAT
        help_texts = {
            "id_prefix": _("Stands before the number: test_ makes test_00001."),
            "id_width": _("Digits, filled up with zeros. 0: numbers as they are."),
            "first_id": _("Leave both empty for a pool without IDs of its own."),
        }

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if not self.errors:
            with told_in(self):
                ranges.check_format(pool=self.instance, **_format(data))
        return data

    def write(self, *, by: Actor) -> WorkerPool:
        """Set the format, of a form that is valid."""
        return ranges.set_format(pool=self.instance, **_format(self.cleaned_data), by=by)


class PoolForm(OptionsForm):
    """A pool with its ID format."""

    class Meta(OptionsForm.Meta):
        fields = [*OPTIONS, *FORMAT]
        help_texts = FormatForm.Meta.help_texts

    def clean(self) -> dict[str, Any]:
        data = super().clean()
        if not self.errors:
            with told_in(self):
                ranges.check_format(pool=self.instance, **_format(data))
        return data

    def write(self, *, by: Actor) -> WorkerPool:
        """Make or change the pool, of a form that is valid."""
        return ranges.set_format(pool=super().write(by=by), **_format(self.cleaned_data), by=by)


def _options(data: dict[str, Any]) -> pools.Options:
    return pools.Options(**{name: data[name] for name in [*pools.COLUMNS, "teams", "projects"]})


def _format(data: dict[str, Any]) -> dict[str, Any]:
    return {
        "prefix": data["id_prefix"],
        "width": data["id_width"],
        "first": data["first_id"],
        "last": data["last_id"],
    }


class LabelsField(forms.CharField):
    """A mapping, as one `name = text` a line."""

    widget = forms.Textarea(attrs={"rows": 3, "class": "mono", "placeholder": "zone = a"})

    def prepare_value(self, value: Any) -> Any:
        """As lines."""
        return (
            "\n".join(f"{name} = {text}" for name, text in sorted(value.items())) if hasattr(value, "items") else value
        )

    def to_python(self, value: Any) -> Any:
        """Raises ValidationError for a name that comes twice."""
        labels: dict[str, str] = {}
        for line in (super().to_python(value) or "").splitlines():
            name, _equals, text = line.partition("=")
            if name.strip() in labels:
                raise forms.ValidationError(_("There is more than one “%(name)s”."), params={"name": name.strip()})
            if line.strip():
                labels[name.strip()] = text.strip()
        return labels

    def has_changed(self, initial: Any, data: Any) -> bool:
        """Compared as lines."""
        return super().has_changed(self.prepare_value(initial), data)


class HostForm(forms.ModelForm):  # type: ignore[type-arg]
    """A host with its range of IDs; both numbers empty: none."""

    first = forms.IntegerField(label=_("First ID"), required=False)
    last = forms.IntegerField(label=_("Last ID"), required=False)
    labels = LabelsField(label=_("Labels"), required=False, help_text=_("One a line: name = text."))

    class Meta:
        model = WorkerHost
        fields = ["slots", "max_users", "address", "link_mbit", "labels"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        own = ranges.own_span(self.instance)
        if own is not None:
            self.initial.update(first=own.first, last=own.last)

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if not self.errors:
            with told_in(self):
                known = access.still_there(WorkerHost.objects.select_related("pool", "id_range"), self.instance)
                with told_in(self):
                    hosts.check(host=known, **self._settings(data))
                self._check_range(known, data["first"], data["last"])
        return data

    def write(self, *, by: Actor) -> WorkerHost:
        """Change the host, of a form that is valid."""
        host = hosts.change(host=self.instance, **self._settings(self.cleaned_data), by=by)
        first, last = self.cleaned_data["first"], self.cleaned_data["last"]
        if first is None and last is None:
            ranges.clear(host=host, by=by)
        else:
            ranges.assign(host=host, first=first, last=last, by=by)
        return host

    def _check_range(self, host: WorkerHost, first: int | None, last: int | None) -> None:
        if first is None and last is None:
            ranges.check_clear(host=host)
        else:
            ranges.check(host=host, first=first, last=last)

    def _settings(self, data: dict[str, Any]) -> dict[str, Any]:
        given = {name: data[name] for name in ["slots", "max_users", "address", "link_mbit"]}
        return given | {"labels": data["labels"]}


class HostAdminForm(HostForm):
    """With its pool. Its IDs are of the pool that it is in, so the two are not changed at once."""

    class Meta(HostForm.Meta):
        fields = ["pool", *HostForm.Meta.fields]

    def clean(self) -> dict[str, Any]:
        known = WorkerHost.objects.select_related("pool").filter(pk=self.instance.pk).first()
        data = super().clean()
        if known is None or data.get("pool") in (None, known.pool):
            return data
        if {"first", "last"} & set(self.changed_data):
            self.add_error("pool", _("Move it first, and then give it IDs of that pool."))
        with told_in(self):
            hosts.check_move(host=known)
        return data

    def write(self, *, by: Actor) -> WorkerHost:
        """Move the host, or change it where it is."""
        known = access.still_there(WorkerHost.objects.select_related("pool", "id_range"), self.instance)
        to = self.cleaned_data["pool"]
        if to == known.pool:
            self.instance = known
            return super().write(by=by)
        moved = hosts.move(host=known, to=to, by=by)
        return hosts.change(host=moved, **self._settings(self.cleaned_data), by=by)


@contextmanager
def told_in(form: forms.BaseForm) -> Iterator[None]:
    """A refusal stands at the fields that it is about."""
    try:
        yield
    except HatcheryError as error:
        fields = [name for name in error.fields if name in form.fields]
        for name in fields:
            form.add_error(name, error.fields[name])
        if not fields:
            form.add_error(None, error.message)
