"""Bodies of the API of data files. Those named `…Out` describe what `data_presentation.py` makes."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from apps.core.serializers import StrictSerializer, Text, WholeNumber
from apps.scenarios.data_preview import CELL_CHARS, ROWS
from apps.scenarios.models import AtEnd, DataKind, Distribution

NAME_CHARS = 1000
"""Far more than a name may have: `data_check` says so in a sentence of its own."""
DISTRIBUTION_HELP = (
    "`split`: each worker has rows of its own; `shared`: all users take from all rows; `per_user`: one row a user."
)
AT_END_HELP = "After the last row: `recycle` begins again, `stop` stops the user."


class DataFileNew(StrictSerializer):
    """A name that is there gets a new version; distribution and end then stay unless given."""

    file = serializers.FileField(allow_empty_file=True, max_length=NAME_CHARS)
    name = Text(max_length=NAME_CHARS, required=False, help_text="Without it, the name that the file is sent with.")
    distribution = serializers.ChoiceField(Distribution.choices, required=False, help_text=DISTRIBUTION_HELP)
    at_end = serializers.ChoiceField(AtEnd.choices, required=False, help_text=AT_END_HELP)


class DataFileChange(StrictSerializer):
    """What is left out stays. The content changes by a new version."""

    distribution = serializers.ChoiceField(Distribution.choices, required=False, help_text=DISTRIBUTION_HELP)
    at_end = serializers.ChoiceField(AtEnd.choices, required=False, help_text=AT_END_HELP)


class DataVersionRestore(StrictSerializer):
    """Which of the versions is to be the newest."""

    version = WholeNumber(min_value=1)


class DataContentOut(serializers.Serializer[Any]):
    kind = serializers.ChoiceField(DataKind.choices, help_text="By the end of the name: .csv, .jsonl or .ndjson.")
    size = serializers.IntegerField(help_text="Bytes.")
    rows = serializers.IntegerField(help_text="Without the header; 0 for a binary file.")
    columns = serializers.ListField(
        child=serializers.CharField(), help_text="Of the header; of JSON lines, of the first object."
    )
    encoding = serializers.CharField(help_text="`utf-8`, `utf-8-sig` with a byte order mark, empty for a binary file.")
    sha256 = serializers.CharField()
    author = serializers.CharField()
    created_at = serializers.DateTimeField()


class DataFileOut(DataContentOut):
    """A data file with its newest version."""

    id = serializers.UUIDField()
    name = serializers.CharField()
    url = serializers.URLField(help_text="Its page.")
    distribution = serializers.ChoiceField(Distribution.choices)
    at_end = serializers.ChoiceField(AtEnd.choices)
    version = serializers.IntegerField(help_text="Number of the newest version.")


class DataVersionOut(DataContentOut):
    number = serializers.IntegerField()


class DataPreviewOut(serializers.Serializer[Any]):
    version = serializers.IntegerField()
    total_rows = serializers.IntegerField()
    columns = serializers.ListField(child=serializers.CharField())
    rows = serializers.ListField(
        child=serializers.ListField(child=serializers.CharField()),
        help_text=f"The first {ROWS}; cells as text of at most {CELL_CHARS} characters.",
    )
