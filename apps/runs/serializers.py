"""Bodies of the API of runs. Those named `…Out` describe what `presentation.py` makes; a test holds both together."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from django.utils.translation import gettext as _
from rest_framework import serializers

from apps.core.serializers import RefOut, StrictSerializer, Text, WholeNumber
from apps.runs.services import NOTE_CHARS
from apps.runs.states import State, Verdict, WorkerState
from apps.scenarios.models import OnLost, WhenFull
from apps.scenarios.placement import MAX_WORKERS

REF_CHARS = 100


class Anything(serializers.JSONField):
    """Read by `scenarios.load`, which says what is wrong with it in the same words as the form."""


class StageIn(serializers.Serializer[Any]):
    duration = serializers.CharField(help_text="Seconds, or like 90s, 5m, 1h30m.")
    users = serializers.IntegerField()
    spawn_rate = serializers.FloatField(help_text="Users a second.")


class RunNew(StrictSerializer):
    """What is left out is as the scenario has it."""

    scenario = Text(max_length=REF_CHARS, help_text="Id or slug.")
    project = Text(max_length=REF_CHARS, required=False, help_text="Id or slug; needed when two have such a scenario.")
    version = WholeNumber(required=False, min_value=1, help_text="Number of the version; the newest when left out.")
    users = Anything(required=False, help_text="Whole number.")
    spawn_rate = Anything(required=False, help_text="Users a second.")
    run_time = Anything(required=False, help_text="Seconds, or like 90s, 5m, 1h30m.")
    stages = Anything(required=False, help_text='`[{"duration": "1m", "users": 10, "spawn_rate": 1}, …]`')
    host = Anything(required=False, help_text="Base address, like https://shop.example.com.")
    tags = Anything(required=False, help_text="Run only tasks with one of these tags.")
    exclude_tags = Anything(required=False, help_text="Run no tasks with one of these tags.")
    env = Anything(required=False, help_text="Environment variables for the script.")
    pool = Text(
        max_length=REF_CHARS, required=False, help_text="Name of the worker pool; the scenario's when left out."
    )
    workers = WholeNumber(
        required=False, min_value=1, max_value=MAX_WORKERS, help_text="Locust processes with users; 1: no master."
    )
    on_lost = serializers.ChoiceField(OnLost.choices, required=False, help_text="What happens when a worker is lost.")
    when_full = serializers.ChoiceField(WhenFull.choices, required=False, help_text="What happens without room.")
    labels = serializers.DictField(child=Text(allow_blank=True), required=False)
    note = Text(max_length=NOTE_CHARS, required=False, allow_blank=True)


class RunSteer(StrictSerializer):
    """What is left out stays as it is; `apps.runs.steering` says what is wrong."""

    users = Anything(required=False, help_text="Whole number from 0; holds to the end, whatever the stages say.")
    spawn_rate = Anything(required=False, help_text="Users a second, on every way to other users from now on.")
    paused = Anything(required=False, help_text="True: no users, while the time goes on; false: the users come back.")
    run_time = Anything(required=False, help_text="Length from the start: seconds, or like 90s, 5m, 1h30m.")


class Moment(serializers.DateTimeField):
    """A time as JSON text with its zone; without one it would be somebody's guess."""

    def to_internal_value(self, value: Any) -> datetime:
        try:
            moment = datetime.fromisoformat(value) if isinstance(value, str) else None
            if moment is not None and moment.tzinfo is not None:
                return moment.astimezone(UTC)
        except (ValueError, OverflowError):
            pass
        raise serializers.ValidationError(_("This must be a time with its zone, such as 2026-01-31T12:00:00Z."))


class NoteNew(StrictSerializer):
    """Of a moment, or of a span when it has an `until`."""

    text = Text(max_length=NOTE_CHARS)
    at = Moment(required=False, allow_null=True, help_text="Now, when left out. At most an hour outside of the run.")
    until = Moment(required=False, allow_null=True, help_text="The end of a span that begins at `at`.")


class TotalsOut(serializers.Serializer[Any]):
    """Times in milliseconds; null without requests."""

    requests = serializers.IntegerField()
    failures = serializers.IntegerField()
    rps = serializers.FloatField()
    avg_ms = serializers.FloatField(allow_null=True)
    p50_ms = serializers.FloatField(allow_null=True)
    p90_ms = serializers.FloatField(allow_null=True)
    p95_ms = serializers.FloatField(allow_null=True)
    p99_ms = serializers.FloatField(allow_null=True)
    p999_ms = serializers.FloatField(allow_null=True)
    min_ms = serializers.FloatField(allow_null=True)
    max_ms = serializers.FloatField(allow_null=True)
    bytes = serializers.IntegerField()


class EndpointDifferenceOut(serializers.Serializer[Any]):
    method = serializers.CharField()
    name = serializers.CharField()
    collected = serializers.IntegerField()
    locust = serializers.IntegerField()
    difference = serializers.IntegerField()


class ReconciliationOut(serializers.Serializer[Any]):
    collected = serializers.IntegerField()
    locust = serializers.IntegerField(allow_null=True)
    difference = serializers.IntegerField(allow_null=True)
    source = serializers.CharField(allow_null=True)  # type: ignore[assignment] # a field of the body, not of the base
    endpoints = EndpointDifferenceOut(many=True)


class DiagnosisOut(serializers.Serializer[Any]):
    code = serializers.CharField(required=False)
    message = serializers.CharField(required=False)
    line = serializers.IntegerField(required=False, allow_null=True)
    traceback = serializers.CharField(required=False)


class VerdictReasonOut(serializers.Serializer[Any]):
    code = serializers.CharField()
    text = serializers.CharField()


class GeneratorOut(serializers.Serializer[Any]):
    cpu_percent = serializers.FloatField()
    cpu_peak_percent = serializers.FloatField()
    rss_bytes = serializers.IntegerField()


class SteeringOut(serializers.Serializer[Any]):
    """What people want of the running test. Null: as planned."""

    revision = serializers.IntegerField(help_text="Goes up with each change; 0 before the first.")
    users = serializers.IntegerField(allow_null=True)
    spawn_rate = serializers.FloatField(allow_null=True)
    is_paused = serializers.BooleanField()
    own_shape = serializers.CharField(help_text="Load shape of the script, which then decides about users; or empty.")


class RunOut(serializers.Serializer[Any]):
    """A run. `url` is its page."""

    id = serializers.UUIDField()
    number = serializers.IntegerField()
    url = serializers.URLField()
    project = RefOut()
    scenario = RefOut()
    version = serializers.IntegerField()
    pool = serializers.CharField()
    state = serializers.ChoiceField(State.choices)
    reason = serializers.CharField()
    reason_text = serializers.CharField()
    verdict = serializers.ChoiceField(Verdict.choices)
    verdict_reasons = VerdictReasonOut(many=True)
    diagnosis = DiagnosisOut()
    queue_position = serializers.IntegerField(allow_null=True)
    workers = serializers.IntegerField(help_text="Locust processes with users.")
    on_lost = serializers.ChoiceField(OnLost.choices)
    when_full = serializers.ChoiceField(WhenFull.choices)
    waits_for = serializers.CharField(help_text="What there is no room for, while it is queued.")
    requested_by = serializers.CharField()
    stopped_by = serializers.CharField()
    created_at = serializers.DateTimeField()
    started_at = serializers.DateTimeField(allow_null=True)
    finished_at = serializers.DateTimeField(allow_null=True)
    last_request_at = serializers.DateTimeField(allow_null=True)
    progress = serializers.FloatField(help_text="0 to 1.")
    users = serializers.IntegerField(help_text="Asked for.")
    current_users = serializers.IntegerField()
    peak_users = serializers.IntegerField()
    spawn_rate = serializers.FloatField()
    run_time_s = serializers.FloatField(help_text="As it is planned now.")
    steering = SteeringOut()
    stages = StageIn(many=True)
    host = serializers.CharField()
    tags = serializers.ListField(child=serializers.CharField())
    exclude_tags = serializers.ListField(child=serializers.CharField())
    env = serializers.DictField(child=serializers.CharField())
    collector = serializers.CharField(help_text="`exact`, or `csv` for Locust's files.")
    group_ids = serializers.BooleanField(help_text="Whether names that differ only by ids are counted as one.")
    user_classes = serializers.ListField(child=serializers.CharField())
    finest_step_s = serializers.IntegerField(help_text="Seconds of the finest figures still kept; 0 when none are.")
    totals = TotalsOut()
    reconciliation = ReconciliationOut(allow_null=True)
    generator = GeneratorOut(allow_null=True)
    thresholds = serializers.ListField(child=serializers.DictField(), help_text="None exist yet.")
    note = serializers.CharField()
    labels = serializers.DictField(child=serializers.CharField())


class ArtifactOut(serializers.Serializer[Any]):
    name = serializers.CharField()
    size = serializers.IntegerField(help_text="Bytes.")
    sha256 = serializers.CharField()
    url = serializers.CharField(help_text="Path at this portal; for a session or a token.")


class RunWithFilesOut(RunOut):
    artifacts = ArtifactOut(many=True)


class EndpointOut(serializers.Serializer[Any]):
    index = serializers.IntegerField()
    method = serializers.CharField()
    name = serializers.CharField()
    totals = TotalsOut()
    locust = serializers.IntegerField(allow_null=True, help_text="Locust's own count; null until it has said it.")
    difference = serializers.IntegerField(allow_null=True, help_text="`totals.requests` minus `locust`.")


class EventOut(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    at = serializers.DateTimeField()
    until = serializers.DateTimeField(allow_null=True, help_text="The end of a note about a span.")
    kind = serializers.CharField()
    text = serializers.CharField()
    by = serializers.CharField()
    data = serializers.DictField()  # type: ignore[assignment] # a field of the body, not of the base


class FailureOut(serializers.Serializer[Any]):
    index = serializers.IntegerField()
    method = serializers.CharField()
    name = serializers.CharField()
    error = serializers.CharField()
    occurrences = serializers.IntegerField()
    first_seen = serializers.DateTimeField(allow_null=True)
    last_seen = serializers.DateTimeField(allow_null=True)
    samples = serializers.IntegerField(help_text="How many failing requests are kept as examples.")


class FailureSampleOut(serializers.Serializer[Any]):
    """One request that failed; secrets are masked before they leave the load generator."""

    at = serializers.DateTimeField()
    method = serializers.CharField()
    url = serializers.CharField()
    status = serializers.IntegerField(allow_null=True, help_text="Null when there was no answer.")
    response_ms = serializers.FloatField(allow_null=True)
    request_headers = serializers.DictField(child=serializers.CharField())
    response_headers = serializers.DictField(child=serializers.CharField())
    body = serializers.CharField(help_text="The beginning of the answer.")
    body_bytes = serializers.IntegerField(allow_null=True, help_text="Length of the whole answer, where it is known.")


class ExceptionOut(serializers.Serializer[Any]):
    count = serializers.IntegerField()
    message = serializers.CharField()
    traceback = serializers.CharField()


class WorkerIdsOut(serializers.Serializer[Any]):
    first = serializers.CharField()
    last = serializers.CharField()
    in_use = serializers.IntegerField(
        allow_null=True, help_text="How many its users have now; null of a script that has not asked for any."
    )


class WorkerLinkOut(serializers.Serializer[Any]):
    state = serializers.CharField(help_text="`heard` or `silent`.")
    since = serializers.DateTimeField()


class WorkerHealthOut(serializers.Serializer[Any]):
    cpu_percent = serializers.FloatField()
    rss_bytes = serializers.IntegerField()


class WorkerOut(serializers.Serializer[Any]):
    """A Locust process of the run that has users."""

    index = serializers.IntegerField(help_text="From 0; people count from 1.")
    host = serializers.CharField()
    runner = serializers.CharField()
    state = serializers.ChoiceField(WorkerState.choices)
    reason = serializers.CharField()
    users = serializers.IntegerField(help_text="Those it has now.")
    most_users = serializers.IntegerField()
    offset = serializers.IntegerField(help_text="`WORKER_OFFSET`: its numbers are those after it.")
    ids = WorkerIdsOut(help_text="First and last of its IDs, and how many are in use.")
    starts = serializers.IntegerField(help_text="How often its process was started.")
    requests = serializers.IntegerField(allow_null=True)
    failures = serializers.IntegerField(allow_null=True)
    counted_to = serializers.DateTimeField(
        allow_null=True, help_text="The last second that these counts are of; null for a run of one process."
    )
    generator = WorkerHealthOut(allow_null=True)
    link = WorkerLinkOut(allow_null=True, help_text="To the master; null when it never changed.")
    clock_offset_ms = serializers.FloatField(
        allow_null=True, help_text="Added to its host's clock, which was so far behind the database's."
    )


class LogOut(serializers.Serializer[Any]):
    seq = serializers.IntegerField(help_text="Give it as `after` to get what came since.")
    lines = serializers.ListField(child=serializers.CharField())
    matches = serializers.IntegerField(help_text="Lines that were found in all; `lines` are the newest of them.")
