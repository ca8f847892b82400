"""Bodies of the API of scenarios. Those named `…Out` describe what `presentation.py` makes; a test compares them."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from apps.core.names import NAME_CHARS
from apps.core.serializers import RefOut, StrictSerializer, Text, WholeNumber
from apps.scenarios.models import NOTE_CHARS, OnLost, WhenFull
from apps.scenarios.placement import MAX_WORKERS
from apps.scenarios.services import DESCRIPTION_CHARS

REF_CHARS = 100


class Anything(serializers.JSONField):
    """Read by `load.py` or `validate.py`, which say what is wrong with it in the same words as the form."""


class YesNo(serializers.BooleanField):
    """A JSON boolean: not text, and not a number that happens to be 1."""

    def to_internal_value(self, data: Any) -> bool:
        if not isinstance(data, bool):
            raise serializers.ValidationError(_("This must be true or false."))
        return data


@extend_schema_field(str)
class Script(serializers.Field[str, Any, str, Any]):
    """Text of any length and content: `validate.check_text` judges it, with codes of its own."""

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            raise serializers.ValidationError(Text.default_error_messages["invalid"])
        return data

    def to_representation(self, value: str) -> str:
        return value


class LoadIn(StrictSerializer):
    """The load of a scenario; limits are those of the form."""

    host = Anything(
        required=False, help_text="Base address, like https://shop.example.com; empty: the script has its own."
    )
    users = Anything(required=False, help_text="Whole number.")
    spawn_rate = Anything(required=False, help_text="Users a second.")
    run_time = Anything(required=False, help_text="Seconds, or like 90s, 5m, 1h30m.")
    stages = Anything(required=False, help_text='`[{"duration": "1m", "users": 10, "spawn_rate": 1}, …]`')
    tags = Anything(required=False, help_text="Run only tasks with one of these tags.")
    exclude_tags = Anything(required=False, help_text="Run no tasks with one of these tags.")
    env = Anything(required=False, help_text="Environment variables for the script.")
    pool = Text(
        max_length=REF_CHARS,
        required=False,
        allow_null=True,
        help_text="Name of the worker pool; null: the default, whichever that is when a run starts.",
    )
    workers = WholeNumber(
        required=False, min_value=1, max_value=MAX_WORKERS, help_text="Locust processes with users; 1: no master."
    )
    on_lost = serializers.ChoiceField(OnLost.choices, required=False, help_text="What happens when a worker is lost.")
    when_full = serializers.ChoiceField(WhenFull.choices, required=False, help_text="What happens without room.")
    collector = Text(
        max_length=REF_CHARS,
        required=False,
        help_text="Where figures come from: `exact` counts every request in its second, `csv` reads Locust's files.",
    )
    group_ids = YesNo(
        required=False,
        help_text="Count names that differ only by ids as one: /users/123 as /users/{id}. Of the next run on.",
    )


class ScenarioNew(LoadIn):
    project = Text(max_length=REF_CHARS, help_text="Id or slug.")
    name = Text(max_length=NAME_CHARS)
    locustfile = Script(help_text="The script.")
    description = Text(max_length=DESCRIPTION_CHARS, required=False, allow_blank=True)
    note = Text(max_length=NOTE_CHARS, required=False, allow_blank=True, help_text="Of the first version.")


class ScenarioChange(LoadIn):
    """What is left out stays. The script changes by a new version."""

    name = Text(max_length=NAME_CHARS, required=False)
    description = Text(max_length=DESCRIPTION_CHARS, required=False, allow_blank=True)


class VersionNew(StrictSerializer):
    locustfile = Script(help_text="The script.")
    note = Text(max_length=NOTE_CHARS, required=False, allow_blank=True)


class ValidateIn(StrictSerializer):
    """Nothing: the newest version. A number: that version. A text: that text, which is not kept."""

    version = WholeNumber(required=False, min_value=1)
    locustfile = Script(required=False)


class StageOut(serializers.Serializer[Any]):
    duration = serializers.FloatField(help_text="Seconds.")
    users = serializers.IntegerField()
    spawn_rate = serializers.FloatField()


class ScenarioOut(serializers.Serializer[Any]):
    """A scenario. `url` is its page, `version` the number of the newest version."""

    id = serializers.UUIDField()
    slug = serializers.CharField()
    name = serializers.CharField()
    description = serializers.CharField()
    url = serializers.URLField()
    project = RefOut()
    version = serializers.IntegerField(allow_null=True)
    host = serializers.CharField()
    users = serializers.IntegerField()
    spawn_rate = serializers.FloatField()
    run_time = serializers.FloatField(help_text="Seconds.")
    run_time_s = serializers.FloatField(help_text="The same, under the name that runs use.")
    stages = StageOut(many=True)
    tags = serializers.ListField(child=serializers.CharField())
    exclude_tags = serializers.ListField(child=serializers.CharField())
    env = serializers.DictField(child=serializers.CharField())
    pool = serializers.CharField(allow_null=True, help_text="Null: the default, whichever that is when a run starts.")
    workers = serializers.IntegerField(help_text="Locust processes with users.")
    on_lost = serializers.ChoiceField(OnLost.choices)
    when_full = serializers.ChoiceField(WhenFull.choices)
    collector = serializers.CharField(help_text="`exact` or `csv`.")
    group_ids = serializers.BooleanField()
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()


class VersionOut(serializers.Serializer[Any]):
    number = serializers.IntegerField()
    sha256 = serializers.CharField(help_text="Of the script as UTF-8.")
    note = serializers.CharField()
    author = serializers.CharField()
    created_at = serializers.DateTimeField()


class VersionWithScriptOut(VersionOut):
    locustfile = serializers.CharField()


class ProblemOut(serializers.Serializer[Any]):
    code = serializers.CharField()
    message = serializers.CharField()
    line = serializers.IntegerField(allow_null=True)
    column = serializers.IntegerField(allow_null=True)
    text = serializers.CharField(help_text="The line itself.")
    traceback = serializers.CharField()


class TaskOut(serializers.Serializer[Any]):
    name = serializers.CharField()
    weight = serializers.IntegerField()
    tags = serializers.ListField(child=serializers.CharField())


class UserClassOut(serializers.Serializer[Any]):
    name = serializers.CharField()
    weight = serializers.FloatField()
    fixed_count = serializers.IntegerField()
    host = serializers.CharField()
    has_wait_time = serializers.BooleanField()
    tasks = TaskOut(many=True)


class ValidationOut(serializers.Serializer[Any]):
    """What was found. `own_shape` names a LoadTestShape of the script, else is empty."""

    valid = serializers.BooleanField()
    problems = ProblemOut(many=True)
    user_classes = UserClassOut(many=True)
    tags = serializers.ListField(child=serializers.CharField())
    own_shape = serializers.CharField()
    locust = serializers.CharField(help_text="Version of Locust that loaded it.")
