"""What the API of a run's figures answers; a test holds it together with what is really sent."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from apps.runs.phases import Kind
from apps.runs.serializers import TotalsOut


class WithEnds(serializers.Serializer[Any]):
    """The first and the last second that was answered for; null where nothing was measured."""

    def get_fields(self) -> dict[str, Any]:
        # `from` is a word of the language, so it cannot stand in a class.
        ends = {name: serializers.DateTimeField(allow_null=True) for name in ("from", "to")}
        return {**ends, **super().get_fields()}


@extend_schema_field({"oneOf": [{"type": "integer"}, {"type": "string"}], "nullable": True})
class LineField(serializers.Field[Any, Any, Any, Any]):
    """Index of the endpoint, `1+4` of several together, null for all."""


class SeriesLineOut(serializers.Serializer[Any]):
    """One list a metric, each as long as `t`; null where nothing is known. With `band`, its extremes beside it."""

    endpoint = LineField(allow_null=True)


class SeriesOut(WithEnds):
    step_s = serializers.IntegerField()
    t = serializers.ListField(child=serializers.IntegerField(), help_text="UTC epoch seconds.")
    series = SeriesLineOut(many=True)


class UsersOut(serializers.Serializer[Any]):
    low = serializers.IntegerField(allow_null=True)
    high = serializers.IntegerField(allow_null=True)


class EndpointTotalsOut(serializers.Serializer[Any]):
    index = serializers.IntegerField()
    totals = TotalsOut()


class OccurrencesOut(serializers.Serializer[Any]):
    index = serializers.IntegerField(help_text="As in `failures/`.")
    occurrences = serializers.IntegerField()


class SummaryOut(WithEnds):
    """Every number of a window. Where its finest seconds are gone, the ends are those of what is left."""

    seconds = serializers.IntegerField(help_text="Seconds that were measured.")
    is_exact = serializers.BooleanField(help_text="Whether percentiles come from all requests.")
    totals = TotalsOut()
    users = UsersOut()
    endpoints = EndpointTotalsOut(many=True)
    failures = OccurrencesOut(many=True, allow_null=True)


class HeatmapOut(WithEnds):
    """At `t[i]`, `counts[i][j]` requests took from `edges_ms[j]` to `edges_ms[j + 1]`."""

    step_s = serializers.IntegerField()
    t = serializers.ListField(child=serializers.IntegerField(), help_text="UTC epoch seconds.")
    edges_ms = serializers.ListField(child=serializers.FloatField())
    counts = serializers.ListField(
        child=serializers.ListField(child=serializers.IntegerField(), allow_null=True),
        help_text="Null where nothing was measured.",
    )


class DistributionOut(WithEnds):
    """`counts[i]` requests took from `edges_ms[i]` to `edges_ms[i + 1]`."""

    edges_ms = serializers.ListField(child=serializers.FloatField())
    counts = serializers.ListField(child=serializers.IntegerField())
    totals = TotalsOut()


class PhaseOut(WithEnds):
    kind = serializers.ChoiceField([kind.value for kind in Kind])
    stage = serializers.IntegerField(allow_null=True, help_text="1, 2, 3 … of a run in stages.")
    label = serializers.CharField()  # type: ignore[assignment] # a field of the body, not of the base
    users = serializers.IntegerField(help_text="Where it goes to, or what it holds.")
    totals = TotalsOut()


class PhasesOut(serializers.Serializer[Any]):
    phases = PhaseOut(many=True)
