"""Takes secrets out of what is kept of a failing request. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

from .named import is_secret, named_spans
from .spellings import HEAD_CHARS, MASK, MAX_SPELLED_CHARS, Span, Value

MIN_SECRET_CHARS = 4
OVERLAP_CHARS = HEAD_CHARS * MAX_SPELLED_CHARS
"""What is searched beyond what is kept: a secret that begins in what is kept must be known for one."""
MAX_HEADERS_CHARS = 12_000
"""Of all headers together: more would not fit into the line of an example anyway."""

_BASE64_RUN = re.compile(r"[A-Za-z0-9+/]{8}")
_FROM_URL_SAFE = str.maketrans("-_", "+/")


class Masking:
    """Masks what has a secret name, and the given values wherever they stand.

    Each rule finds spans of the text as it was; they are replaced together. The text is cut before it is searched, so a
    long answer costs no more than a short one, and no pattern goes back: an answer may be made to be slow.
    """

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        stripped = {secret.strip() for secret in secrets}
        self._values = [Value(secret) for secret in sorted(stripped) if len(secret) >= MIN_SECRET_CHARS]

    def text(self, text: str, max_chars: int) -> str:
        """At most so many characters of it, none of which is part of a secret."""
        return self._masked(text, max_chars, self._values)

    def headers(self, headers: Mapping[str, str], max_headers: int, max_chars: int) -> dict[str, str]:
        kept, searched, left = [], max_chars + OVERLAP_CHARS, MAX_HEADERS_CHARS
        for name, value in list(headers.items())[:max_headers]:
            left -= len(name[:searched]) + len(value[:searched])
            if left < 0:
                break
            kept.append((name, value))
        together = "\n".join(f"{name[:searched]}\n{value[:searched]}" for name, value in kept)
        values = [value for value in self._values if any(self._known([value], together))]
        return {
            self._masked(name, max_chars, values): MASK if is_secret(name) else self._masked(value, max_chars, values)
            for name, value in kept
        }

    def _masked(self, text: str, max_chars: int, values: Sequence[Value]) -> str:
        room = text[: max_chars + OVERLAP_CHARS]
        spans = [*self._known(values, room), *named_spans(room)]
        return _replaced(room, spans, max_chars)[:max_chars]

    def _known(self, values: Sequence[Value], text: str) -> Iterator[Span]:
        for value in values:
            yield from value.spans(text)
        normal = text.translate(_FROM_URL_SAFE) if values else ""
        if _BASE64_RUN.search(normal):
            for value in values:
                yield from value.base64_spans(normal)


def _replaced(text: str, spans: Iterable[Span], most: int) -> str:
    """The first characters of the text, without the spans; of those that overlap the first says what is put there."""
    parts, done = [], 0
    for span in sorted(spans):
        if span.start >= most:
            break
        if span.start >= done:
            parts += [text[done : span.start], span.instead]
        done = max(done, span.end)
    return "".join([*parts, text[done:most]])
