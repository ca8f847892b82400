"""Bodies of the API about who had which ID. A test holds them and `identities.py` together."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from apps.runs.results_serializers import WithEnds


class WorkerIdentitiesOut(serializers.Serializer[Any]):
    worker = serializers.IntegerField(help_text="Index.")
    used = serializers.IntegerField(help_text="IDs of its own that a user had.")
    unused = serializers.IntegerField()
    borrowed = serializers.IntegerField(help_text="IDs of other workers that one of its users had.")
    out_of_range = serializers.IntegerField()
    leases = serializers.IntegerField(help_text="How often a user got an ID.")
    first = serializers.CharField()
    last = serializers.CharField()


class DuplicateOut(WithEnds):
    id = serializers.CharField()
    workers = serializers.ListField(child=serializers.IntegerField())
    classes = serializers.ListField(child=serializers.CharField())


class DuplicatesOut(serializers.Serializer[Any]):
    count = serializers.IntegerField()
    listed = DuplicateOut(many=True)


class OutsiderOut(serializers.Serializer[Any]):
    id = serializers.CharField()
    worker = serializers.IntegerField()


class OutsidersOut(serializers.Serializer[Any]):
    count = serializers.IntegerField()
    listed = OutsiderOut(many=True)


class NumbersOut(serializers.Serializer[Any]):
    """From the first to the last of a sequence."""

    id = serializers.CharField()
    first = serializers.IntegerField()
    last = serializers.IntegerField()


class HolesOut(serializers.Serializer[Any]):
    count = serializers.IntegerField()
    listed = NumbersOut(many=True)


class SequencesOut(serializers.Serializer[Any]):
    ids = serializers.IntegerField(help_text="IDs with a sequence.")
    committed = serializers.IntegerField()
    gaps = HolesOut()
    repeats = HolesOut()


class IncompleteOut(serializers.Serializer[Any]):
    """What the report knows nothing of; all 0 in a good run."""

    unlisted = serializers.IntegerField()
    left_out = serializers.IntegerField()
    refused = serializers.IntegerField()
    missing = serializers.IntegerField()


class IdentitiesOut(serializers.Serializer[Any]):
    """Who had which ID: what the journals of the workers prove. Lists have the first hundred."""

    has_journal = serializers.BooleanField(help_text="False of a script that does not ask for IDs.")
    used = serializers.IntegerField(help_text="IDs that somebody had.")
    workers = WorkerIdentitiesOut(many=True)
    duplicates = DuplicatesOut(help_text="IDs that two users had at the same time.")
    out_of_range = OutsidersOut(help_text="IDs that belong to no worker of the run.")
    sequences = SequencesOut()
    incomplete = IncompleteOut()
