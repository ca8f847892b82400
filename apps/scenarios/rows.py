"""A form field that is a small table: rows of text inputs that can be added and removed, with or without a script."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from django import forms
from django.template.loader import render_to_string
from django.utils.datastructures import MultiValueDict
from django.utils.functional import Promise
from django.utils.safestring import SafeString

Cells = dict[str, str]
"""One row: text by column name."""


@dataclass(frozen=True, slots=True)
class Column:
    """`name` is the key in a row, `input_mode` the keyboard a phone offers."""

    name: str
    label: str | Promise
    placeholder: str = ""
    input_mode: str = "text"


class RowsWidget(forms.Widget):
    """Posts each column as a list; row n is the nth entry of each. One empty row is always there to type into.

    `is_ordered`: the order of the rows means something, so they are numbered and can be moved. `problems`: sentences
    about a row, by its place from 0.
    """

    def __init__(self, columns: Sequence[Column], add_label: str | Promise, *, is_ordered: bool = False) -> None:
        super().__init__()
        self.columns = columns
        self.add_label = add_label
        self.is_ordered = is_ordered
        # A form gets a shallow copy of its widgets: this one is shared by all, so it is replaced and never changed.
        self.problems: Mapping[int, Sequence[str]] = MappingProxyType({})

    def render(self, name: str, value: Any, attrs: Any = None, renderer: Any = None) -> SafeString:
        """The table with its rows and a <template> for further ones."""
        rows = [*(value or []), dict.fromkeys((column.name for column in self.columns), "")]
        cells = [
            [(column, f"{name}_{column.name}", row.get(column.name, "")) for column in self.columns] for row in rows
        ]
        problems = [self.problems.get(place, []) for place in range(len(cells) - 1)]
        context = {
            "id": (attrs or {}).get("id", name),
            "columns": self.columns,
            "width": len(self.columns) + 1 + self.is_ordered,
            "add_label": self.add_label,
            "is_ordered": self.is_ordered,
            "rows": list(zip(cells[:-1], problems, strict=True)),
            "blank": cells[-1],
        }
        return render_to_string("_components/rows.html", context)

    def value_from_datadict(self, data: Mapping[str, Any], files: Any, name: str) -> list[Cells]:
        """Rows in which anything was typed."""
        lists = [_list(data, f"{name}_{column.name}") for column in self.columns]
        names = [column.name for column in self.columns]
        rows = [dict(zip(names, texts, strict=True)) for texts in zip(*lists, strict=False)]
        return [row for row in rows if any(text.strip() for text in row.values())]

    def value_omitted_from_data(self, data: Mapping[str, Any], files: Any, name: str) -> bool:
        """An empty table is an answer, not an omission."""
        return False

    def id_for_label(self, id_: str) -> str:
        """The label names a group, not one input."""
        return ""


class RowsBoundField(forms.BoundField):
    """A table of rows in its form."""

    @property
    def errors_below(self) -> list[str]:
        """Sentences that do not stand under the row that they are about."""
        widget: RowsWidget = self.field.widget
        told = {text for texts in widget.problems.values() for text in texts}
        return [text for text in map(str, self.errors) if text not in told]


class RowsField(forms.Field):
    """Gives the rows as they were typed; what they mean is the form's to say."""

    widget: RowsWidget

    def __init__(
        self, columns: Sequence[Column], *, add_label: str | Promise, is_ordered: bool = False, **kwargs: Any
    ) -> None:
        super().__init__(widget=RowsWidget(columns, add_label, is_ordered=is_ordered), required=False, **kwargs)

    def get_bound_field(self, form: forms.BaseForm, field_name: str) -> RowsBoundField:
        """Called by the form."""
        return RowsBoundField(form, self, field_name)

    def has_changed(self, initial: Any, data: Any) -> bool:
        """Compared as rows."""
        return (initial or []) != (data or [])


def _list(data: Mapping[str, Any], key: str) -> list[str]:
    return [str(text) for text in data.getlist(key)] if isinstance(data, MultiValueDict) else []
