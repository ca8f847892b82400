"""Bodies of the API: every field named, of its own type, and none besides."""

from __future__ import annotations

import math
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from rest_framework import serializers
from rest_framework.settings import api_settings

COLUMN_MAX = 2_147_483_647
"""The largest value of PostgreSQL's integer."""
WRONG_TEXT = gettext_lazy("This must be text.")
WRONG_NUMBER = gettext_lazy("This must be a number.")
WRONG_WHOLE_NUMBER = gettext_lazy("This must be a whole number.")


class StrictSerializer(serializers.Serializer[Any]):
    """Refuses fields that it does not know, and those that only the portal sets: silence would hide a typing error."""

    def to_internal_value(self, data: Any) -> Any:
        if not isinstance(data, dict):
            raise serializers.ValidationError({api_settings.NON_FIELD_ERRORS_KEY: [_("This must be a JSON object.")]})
        self._refuse_unknown(data)
        return super().to_internal_value(data)

    def _refuse_unknown(self, data: dict[Any, Any]) -> None:
        fields = self.fields
        refused = {}
        for name in map(str, data):
            if name not in fields:
                refused[_printable(name)] = [_("There is no such field.")]
            elif fields[name].read_only:
                refused[name] = [_("This field cannot be set.")]
        if refused:
            raise serializers.ValidationError(refused)


class RefOut(serializers.Serializer[Any]):
    """What another row is called, where it is not told in full."""

    id = serializers.UUIDField()
    slug = serializers.CharField()
    name = serializers.CharField()


class Text(serializers.CharField):
    """Text, not a number that happens to look like it."""

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            raise serializers.ValidationError(WRONG_TEXT)
        return super().to_internal_value(data)


class WholeNumber(serializers.IntegerField):
    """A JSON number without a fraction: not text, not true, and not more than a column holds."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"max_value": COLUMN_MAX, **kwargs})

    def to_internal_value(self, data: Any) -> int:
        if type(data) is not int:
            raise serializers.ValidationError(WRONG_WHOLE_NUMBER)
        return super().to_internal_value(data)


class Number(serializers.FloatField):
    """A finite JSON number: not text, not true, and not 1e999, which Python reads as infinite."""

    def to_internal_value(self, data: Any) -> float:
        if type(data) not in (int, float):
            raise serializers.ValidationError(WRONG_NUMBER)
        try:
            value = float(data)
        except OverflowError:
            value = math.inf
        if not math.isfinite(value):
            raise serializers.ValidationError(WRONG_NUMBER)
        return value


def _printable(name: str) -> str:
    """A key that a client made up, short and clean enough to be shown."""
    return name.encode("utf-8", "replace").decode("utf-8").replace("\x00", "?")[:100]
