"""Bodies of the REST of pools and hosts."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from apps.core.serializers import RefOut, StrictSerializer, Text, WholeNumber
from apps.pools.models import MAX_ID, OFFLINE, Standing

STATES = [*Standing.values, OFFLINE]
KEY_STATES = ["open", "used", "revoked", "expired"]
REF_CHARS = 200
MOST_HOSTS = 1000
"""Of one request to split IDs."""


class Flag(serializers.BooleanField):
    """true or false, and no text or number that stands for it."""

    def to_internal_value(self, data: Any) -> bool:
        if type(data) is not bool:
            self.fail("invalid", input=data)
        return super().to_internal_value(data)


def _id(**kwargs: Any) -> WholeNumber:
    return WholeNumber(min_value=1, max_value=MAX_ID, allow_null=True, **kwargs)


# --- what is told -------------------------------------------------------------------------------------------------


class RunnerOut(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    name = serializers.CharField()
    online = serializers.BooleanField()
    draining = serializers.BooleanField()
    started_at = serializers.DateTimeField()
    last_seen_at = serializers.DateTimeField()


class SpanOut(serializers.Serializer[Any]):
    """IDs in a row: their numbers, and the IDs as the script gets them."""

    first = serializers.IntegerField()
    last = serializers.IntegerField()
    first_text = serializers.CharField()
    last_text = serializers.CharField()


class IdsOut(SpanOut):
    prefix = serializers.CharField(allow_blank=True)
    width = serializers.IntegerField()
    leased = serializers.IntegerField(help_text="How many are in use.")


class ShareOut(serializers.Serializer[Any]):
    """What a run has of a host."""

    id = serializers.UUIDField(allow_null=True, help_text="null: another team's run.")
    label = serializers.CharField(allow_null=True)  # type: ignore[assignment]
    workers = serializers.IntegerField()
    users = serializers.IntegerField(help_text="The most that they get.")


class LoadOut(serializers.Serializer[Any]):
    """How a host does, by its newest report; null for what its machine does not say."""

    cpu_percent = serializers.FloatField(allow_null=True, help_text="Of all cores together.")
    memory_percent = serializers.FloatField(allow_null=True)
    memory_bytes = serializers.FloatField(allow_null=True)
    received_mbit = serializers.FloatField(allow_null=True, help_text="Mbit/s.")
    sent_mbit = serializers.FloatField(allow_null=True, help_text="Mbit/s.")
    disk_free_bytes = serializers.FloatField(allow_null=True)
    clock_offset_ms = serializers.FloatField(allow_null=True, help_text="Ahead of the database's clock.")
    open_files = serializers.FloatField(allow_null=True)
    open_files_hard = serializers.FloatField(allow_null=True)
    load_average = serializers.ListField(child=serializers.FloatField(), help_text="Of 1, 5 and 15 minutes.")


class HostOut(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    name = serializers.CharField()
    pool = serializers.CharField()
    state = serializers.ChoiceField(STATES)
    standing = serializers.ChoiceField(Standing.choices, help_text="What people decided.")
    slots = serializers.IntegerField(help_text="Locust processes at once.")
    slots_set = serializers.IntegerField(allow_null=True, help_text="null: one a core.")
    slots_taken = serializers.IntegerField()
    max_users = serializers.IntegerField(allow_null=True)
    users = serializers.IntegerField(help_text="The most that its Locust processes get.")
    address = serializers.CharField(allow_null=True, allow_blank=True, help_text="For the portal's admin.")
    link_mbit = serializers.IntegerField(allow_null=True)
    labels = serializers.DictField(child=serializers.CharField(allow_blank=True))
    cores = serializers.IntegerField()
    versions = serializers.DictField(child=serializers.CharField())
    ids = SpanOut(allow_null=True)
    runs = ShareOut(many=True)
    load = LoadOut(allow_null=True, help_text="null while it is silent.")
    last_seen_at = serializers.DateTimeField(allow_null=True)
    runners = RunnerOut(many=True)


class HostEventOut(serializers.Serializer[Any]):
    at = serializers.DateTimeField()
    state = serializers.ChoiceField(STATES)
    text = serializers.CharField(allow_blank=True)
    by = serializers.CharField(allow_blank=True, help_text="For the portal's admin.")


class HostFullOut(HostOut):
    machine = serializers.CharField(allow_null=True, allow_blank=True, help_text="For the portal's admin.")
    report = serializers.DictField(help_text="All that it last said.")
    recent = serializers.ListField(
        child=serializers.ListField(child=serializers.FloatField()),
        help_text="Of ten minutes: epoch seconds, CPU %, memory %, received and sent Mbit/s.",
    )
    events = HostEventOut(many=True)


class PoolOut(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    name = serializers.CharField()
    description = serializers.CharField(allow_blank=True)
    is_default = serializers.BooleanField()
    takes_new_hosts = serializers.BooleanField()
    is_for_all = serializers.BooleanField()
    teams = RefOut(many=True, help_text="Those that may use it, as far as you may know.")
    projects = RefOut(many=True)
    ids = IdsOut(allow_null=True)
    users_per_worker = serializers.IntegerField()
    first_port = serializers.IntegerField(allow_null=True)
    last_port = serializers.IntegerField(allow_null=True)
    slots = serializers.IntegerField(help_text="Of hosts that take work.")
    slots_taken = serializers.IntegerField()
    hosts = HostOut(many=True)
    created_at = serializers.DateTimeField()


class SegmentOut(SpanOut):
    state = serializers.ChoiceField(["leased", "free", "unowned"])
    host = serializers.CharField(allow_null=True)
    run = serializers.UUIDField(allow_null=True)
    run_label = serializers.CharField(allow_null=True)


class SpaceOut(serializers.Serializer[Any]):
    ids = IdsOut(allow_null=True)
    segments = SegmentOut(many=True)


class SlotOut(SpanOut):
    host = serializers.CharField()
    slot = serializers.IntegerField()
    worker_offset = serializers.IntegerField()


class SplitOut(serializers.Serializer[Any]):
    preview = serializers.BooleanField()
    seen = serializers.CharField(help_text="Stands for the preview, to be sent with the split.")
    slots = SlotOut(many=True)


class JoinKeyOut(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    pool = serializers.CharField()
    host_name = serializers.CharField()
    state = serializers.ChoiceField(KEY_STATES)
    created_by = serializers.CharField()
    created_at = serializers.DateTimeField()
    expires_at = serializers.DateTimeField()
    used_at = serializers.DateTimeField(allow_null=True)
    revoked_at = serializers.DateTimeField(allow_null=True)


class JoinKeyWithSecret(JoinKeyOut):
    secret = serializers.CharField(allow_null=True, help_text="Shown this once.")
    command = serializers.CharField(allow_null=True)


# --- what is given ------------------------------------------------------------------------------------------------


class PoolChange(StrictSerializer):
    """What is left out stays."""

    name = Text(max_length=60, required=False)
    description = Text(allow_blank=True, required=False)
    is_default = Flag(required=False, help_text="true makes it the default; another pool then is not.")
    takes_new_hosts = Flag(required=False)
    is_for_all = Flag(required=False)
    teams = serializers.ListField(
        child=Text(max_length=REF_CHARS), required=False, help_text="Ids or slugs.", max_length=1000
    )
    projects = serializers.ListField(child=serializers.UUIDField(), required=False, help_text="Ids.", max_length=1000)
    users_per_worker = WholeNumber(required=False)
    first_port = WholeNumber(required=False, allow_null=True)
    last_port = WholeNumber(required=False, allow_null=True)
    id_prefix = Text(allow_blank=True, trim_whitespace=False, required=False)
    id_width = WholeNumber(required=False)
    first_id = _id(required=False, help_text="With `last_id`: both, or both null.")
    last_id = _id(required=False)


class PoolNew(PoolChange):
    name = Text(max_length=60)


class HostChange(StrictSerializer):
    """What is left out stays."""

    name = Text(max_length=REF_CHARS, required=False, help_text="As it is: a host keeps its name.")
    slots = WholeNumber(required=False, allow_null=True)
    max_users = WholeNumber(required=False, allow_null=True)
    address = Text(allow_blank=True, required=False)
    link_mbit = WholeNumber(required=False, allow_null=True)
    labels = serializers.DictField(child=Text(allow_blank=True), required=False)
    first = _id(required=False, help_text="Of its IDs; with `last`: both, or both null for none.")
    last = _id(required=False)


class HostMoveNew(StrictSerializer):
    pool = Text(max_length=REF_CHARS, help_text="Id or name.")


class SplitNew(StrictSerializer):
    first = WholeNumber(min_value=1, max_value=MAX_ID)
    last = WholeNumber(min_value=1, max_value=MAX_ID)
    hosts = serializers.ListField(
        child=Text(max_length=REF_CHARS),
        required=False,
        min_length=1,
        max_length=MOST_HOSTS,
        help_text="Ids or names, in this order; left out: all that are approved.",
    )
    preview = Flag(default=False, help_text="true: nothing is changed.")
    seen = Text(
        max_length=REF_CHARS,
        required=False,
        help_text="`seen` of a preview: refused (409, `split_changed`) if it would not give the same any more.",
    )


class JoinKeyNew(StrictSerializer):
    host_name = Text(max_length=100)
