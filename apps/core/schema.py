"""What the API's description says of every operation alike."""

from __future__ import annotations

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
