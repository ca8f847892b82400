"""What the API's description says of every operation alike."""

from __future__ import annotations

import re
from typing import Any

from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import OpenApiParameter

from apps.core.idempotency import HEADER, KEPT_HOURS, KEY_CHARS

ERROR = {
    "type": "object",
    "required": ["code", "message"],
    "properties": {
        "code": {"type": "string", "description": "Stable; for programs."},
        "message": {"type": "string", "description": "A sentence; for people."},
        "fields": {
            "type": "object",
            "description": "What is wrong with which field of the body.",
            "additionalProperties": {"type": "array", "items": {"type": "string"}},
        },
    },
}
IDEMPOTENCY_KEY = OpenApiParameter(
    HEADER,
    str,
    OpenApiParameter.HEADER,
    description=(
        f"At most {KEY_CHARS} characters. The same key with the same body within {KEPT_HOURS} hours gets the answer of"
        " the first request, with `Idempotency-Replayed: true`, and starts nothing."
    ),
)


class Schema(AutoSchema):
    """Adds the `Idempotency-Key` where a view takes one."""

    def get_override_parameters(self) -> list[Any]:
        handler = getattr(self.view, self.method.lower(), None)
        return [IDEMPOTENCY_KEY] if getattr(handler, "is_idempotent", False) else []


PATHS = {
    "pools": "Id or name of the pool.",
    "hosts": "Id or name of the host.",
    "projects": "Id or slug of the project.",
    "scenarios": "Id or slug of the scenario.",
    "runs": "Id of the run.",
    "tokens": "Id of the token.",
}
"""What stands after the name of a collection, in the address of one of its things."""


def explain(result: dict[str, Any], **kwargs: Any) -> dict[str, Any]:
    """A line for each operation in the list of all, and what its address begins with."""
    for path, operations in result["paths"].items():
        named = PATHS.get(path.split("/")[3])
        for operation in operations.values():
            operation["summary"] = first_sentence(operation.get("description", ""))
            for parameter in operation.get("parameters", ()):
                is_first = path.split("/")[4] == f"{{{parameter['name']}}}"
                if parameter["in"] == "path" and named and is_first:
                    parameter.setdefault("description", named)
    return result


def first_sentence(text: str) -> str:
    """Without its full stop."""
    return re.split(r"[.:;](?=\s|$)", " ".join(text.split()), maxsplit=1)[0]


def add_errors(result: dict[str, Any], **kwargs: Any) -> dict[str, Any]:
    """Every operation may be refused, always in the same form."""
    result["components"].setdefault("schemas", {})["Error"] = ERROR
    refusal = {
        "description": "Refused, or failed.",
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}},
    }
    for operations in result["paths"].values():
        for operation in operations.values():
            operation["responses"]["default"] = refusal
    return result
