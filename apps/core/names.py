"""Names that people choose, and the slugs made of them."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable

from django.utils.text import slugify
from django.utils.translation import gettext as _

from apps.core.errors import Invalid
from apps.core.ids import is_uuid

NAME_CHARS = 100
SLUG_CHARS = 60
SLUG = re.compile(r"[a-z0-9]+(?:[-_][a-z0-9]+)*")
REORDERING = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""Characters that make text look like other text. Letters of right-to-left scripts need none of them."""


def clean_name(name: str, *, field: str = "name", most: int = NAME_CHARS) -> str:
    """The name without white space around it. Raises Invalid for one that cannot be shown as it is."""
    name = unicodedata.normalize("NFC", name).strip()
    if not any(char.isprintable() and not char.isspace() and unicodedata.category(char) != "Mn" for char in name):
        raise _invalid(field, _("Give it a name."))
    if len(name) > most:
        raise _invalid(field, _("A name has at most %(chars)d characters.") % {"chars": most})
    if any(unicodedata.category(char) in ("Cc", "Cs") or char in REORDERING for char in name):
        raise _invalid(field, _("A name cannot contain control characters."))
    return name


def clean_slug(slug: str, *, field: str = "slug") -> str:
    """A slug that somebody gave. Raises Invalid when it cannot stand in an address, or could be taken for an id."""
    if len(slug) > SLUG_CHARS or not SLUG.fullmatch(slug) or is_uuid(slug):
        raise _invalid(
            field,
            _("Use small letters and digits, with single hyphens or underscores between them, at most %(chars)d.")
            % {"chars": SLUG_CHARS},
        )
    return slug


def derive_slug(name: str, *, otherwise: str, is_taken: Callable[[str], bool]) -> str:
    """A free slug like `name`; like `otherwise` for a name without Latin letters. `-2`, `-3` … when it is taken."""
    base = slugify(name)[: SLUG_CHARS - 6].strip("-_") or otherwise
    if not SLUG.fullmatch(base) or is_uuid(base):
        base = otherwise
    slug, number = base, 1
    while is_taken(slug):
        number += 1
        slug = f"{base}-{number}"
    return slug


def _invalid(field: str, sentence: str) -> Invalid:
    return Invalid(sentence, fields={field: [sentence]})
