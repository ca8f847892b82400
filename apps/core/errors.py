"""What can go wrong on purpose. Views, API and sockets map these to answers in one place each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from django.utils.translation import gettext as _


class HatcheryError(Exception):
    """A refusal with a stable code, a sentence for people, and for input the fields that are wrong."""

    status = 400
    code = "error"

    def __init__(
        self, message: str, *, code: str | None = None, fields: Mapping[str, Sequence[str]] | None = None
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code or self.code
        self.fields: dict[str, list[str]] = {name: list(texts) for name, texts in (fields or {}).items()}


class Invalid(HatcheryError):
    """The input cannot be used as it is."""

    status = 400
    code = "invalid"


class Denied(HatcheryError):
    """Known here, but not allowed to do this."""

    status = 403
    code = "forbidden"

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or _("Your role does not allow this."))


class Missing(HatcheryError):
    """Not there, or not yours: the same answer for both."""

    status = 404
    code = "not_found"

    def __init__(self, message: str | None = None, *, fields: Mapping[str, Sequence[str]] | None = None) -> None:
        super().__init__(message or _("There is nothing here, or it is not yours."), fields=fields)


class Conflict(HatcheryError):
    """Right in itself, but not in the present state of things."""

    status = 409
    code = "conflict"
