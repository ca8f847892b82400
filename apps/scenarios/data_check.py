"""What is in a data file, read once as a stream: never more of it in memory than one row."""

from __future__ import annotations

import hashlib
import io
import json
import re
from dataclasses import dataclass
from typing import IO, Any, NoReturn

from django.utils.translation import gettext as _

from apps.core.errors import HatcheryError, Invalid
from apps.scenarios.models import DATA_NAME_CHARS, DataKind
from workers.datafiles import BOM, COPY_BYTES, MAX_ROW_BYTES, BadRow, Record, RowTooLong, records

MB = 1_000_000
MAX_LINES = 5_000_000
"""Rows of 40 bytes in the largest file. A line costs more than its bytes, and 200 MB of empty ones minutes."""
MAX_COLUMNS = 200
MAX_COLUMN_CHARS = 200
UTF_16_BOMS = (b"\xff\xfe", b"\xfe\xff")
KINDS = {"csv": DataKind.CSV, "jsonl": DataKind.JSON_LINES, "ndjson": DataKind.JSON_LINES}
"""By what stands after the last full stop of a name."""

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*", re.ASCII)
_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9._-]+", re.ASCII)
# What Python would import, and what Locust would take its options from, out of the folder that the script runs in.
_RESERVED = re.compile(r".*\.(?:py[cdiwx]?|so|pth)|locust\.(?:conf|toml)|pyproject\.toml|setup\.cfg", re.IGNORECASE)
_CONTROL = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")


class TooLarge(HatcheryError):
    """More bytes than are taken."""

    status = 413
    code = "too_large"


@dataclass(frozen=True, slots=True)
class Content:
    """What was found in a file. Attributes as those of `DataFileVersion`."""

    sha256: str
    size: int
    kind: str
    rows: int = 0
    columns: tuple[str, ...] = ()
    encoding: str = ""


def check_name(name: str) -> str:
    """The name as it is. Raises Invalid unless it may stand beside the script, and in an address."""
    if not name:
        _refuse("name", "bad_name", _("Give it a name, such as users.csv."))
    if len(name) > DATA_NAME_CHARS:
        _refuse("name", "bad_name", _("A name has at most %(chars)d characters.") % {"chars": DATA_NAME_CHARS})
    if not _NAME.fullmatch(name):
        sentence = _("A name is made of letters, digits, . _ and -, and begins with none of . and -, like “%(name)s”.")
        _refuse("name", "bad_name", sentence % {"name": suggested_name(name)})
    if _RESERVED.fullmatch(name):
        sentence = _("“%(name)s” would be taken for a program or for settings of Locust; choose another name.")
        _refuse("name", "reserved_name", sentence % {"name": name})
    return name


def suggested_name(name: str) -> str:
    """The nearest one that is possible."""
    return _NOT_IN_NAMES.sub("_", name).lstrip(".-")[:DATA_NAME_CHARS] or "data.csv"


def kind_of(name: str) -> str:
    """By the end of the name."""
    return KINDS.get(name.rpartition(".")[2].lower(), DataKind.BINARY)


def inspect(source: IO[bytes], kind: str, *, limit_mb: int) -> Content:
    """Read the whole of it. Raises Invalid with the first thing that is wrong and its line, TooLarge."""
    counted = _Counted(source, limit_mb)
    buffered = io.BufferedReader(counted, COPY_BYTES)
    rows, encoding = 0, ""
    columns: tuple[str, ...] = ()
    if kind == DataKind.BINARY:
        while buffered.read(COPY_BYTES):
            pass
    else:
        _refuse_utf16(buffered.peek())
        rows, columns = _read_rows(buffered, kind)
        encoding = "utf-8-sig" if counted.begins_with_bom else "utf-8"
    if not counted.size:
        _refuse("file", "empty", _("The file is empty."))
    return Content(counted.sha256, counted.size, kind, rows, columns, encoding)


def too_large(size: int, limit_mb: int) -> TooLarge:
    """What is said of a file of so many bytes."""
    sentence = _("The file has %(size)s MB; the limit is %(limit)d MB a file.")
    sentence %= {"size": f"{size / MB:,.1f}", "limit": limit_mb}
    return TooLarge(sentence, fields={"file": [sentence]})


class _Counted(io.RawIOBase):
    """A file that is read once through a buffer, and what is known of it by then."""

    def __init__(self, source: IO[bytes], limit_mb: int) -> None:
        self._source = source
        self._limit_mb = limit_mb
        self._digest = hashlib.sha256()
        self.size = 0
        self.begins_with_bom = False

    @property
    def sha256(self) -> str:
        return self._digest.hexdigest()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        piece = self._source.read(len(buffer))
        if not self.size:
            self.begins_with_bom = piece.startswith(BOM)
        self.size += len(piece)
        self._digest.update(piece)
        if self.size > self._limit_mb * MB:
            raise too_large(self.size, self._limit_mb)
        buffer[: len(piece)] = piece
        return len(piece)


def _read_rows(source: IO[bytes], kind: str) -> tuple[int, tuple[str, ...]]:
    """How many there are, and the names of the columns."""
    try:
        return _read_table(source) if kind == DataKind.CSV else _read_objects(source)
    except RowTooLong as error:
        sentence = _("Line %(line)d begins a row of more than %(limit)d MB.")
        _refuse("file", "row_too_long", sentence % {"line": error.line, "limit": MAX_ROW_BYTES // MB})
    except BadRow as error:
        sentence = _("The row that begins in line %(line)d cannot be read as CSV: %(reason)s.")
        _refuse("file", "bad_row", sentence % {"line": error.line, "reason": _reason(error.reason)})


def _reason(reason: str) -> str:
    """The csv module's words in those of people who have never seen it."""
    if reason == "unexpected end of data":
        return _("a quotation mark opens a cell and none closes it")
    if reason.startswith("new-line character"):
        return _("a carriage return stands alone; lines end with \\n or \\r\\n")
    if "expected after" in reason:
        return _("something other than a comma follows a closing quotation mark")
    return reason


def _read_table(source: IO[bytes]) -> tuple[int, tuple[str, ...]]:
    columns: tuple[str, ...] = ()
    rows = 0
    for record in records(source, DataKind.CSV):
        _refuse_number(record)
        _decode(record)
        if not columns:
            columns = _header(record)
        elif not record.is_blank:
            rows += 1
            if len(record.cells) != len(columns):
                _refuse_width(record, len(columns))
    if not columns:
        _refuse("file", "empty", _("The file is empty."))
    if not rows:
        _refuse("file", "no_rows", _("There is no row after the header."))
    return rows, columns


def _header(record: Record) -> tuple[str, ...]:
    """Names of columns, as the keys of a row in the script. Raises Invalid unless each is a name, and another one."""
    names = tuple(cell.encode("latin-1").decode().strip() for cell in record.cells)
    if record.is_blank:
        _refuse("file", "bad_header", _("Line 1 must name the columns, like: id,name"))
    if len(names) > MAX_COLUMNS:
        sentence = _("The header has %(columns)d columns; the limit is %(limit)d.")
        _refuse("file", "bad_header", sentence % {"columns": len(names), "limit": MAX_COLUMNS})
    for number, name in enumerate(names, start=1):
        if not name or len(name) > MAX_COLUMN_CHARS or _CONTROL.search(name):
            sentence = _("Column %(number)d of the header needs a name of 1 to %(limit)d printable characters.")
            _refuse("file", "bad_header", sentence % {"number": number, "limit": MAX_COLUMN_CHARS})
        if name in names[: number - 1]:
            _refuse("file", "bad_header", _("The header has two columns “%(name)s”.") % {"name": name})
    if len(names) == 1 and (";" in names[0] or "\t" in names[0]):
        sentence = _("The header is one column, “%(name)s”. Cells are separated by commas.")
        _refuse("file", "bad_header", sentence % {"name": names[0]})
    return names


def _refuse_number(record: Record) -> None:
    if record.line > MAX_LINES:
        _refuse("file", "too_many_lines", _("The file has more than %(limit)s lines.") % {"limit": f"{MAX_LINES:,}"})


def _refuse_width(record: Record, width: int) -> NoReturn:
    sentence = _("Line %(line)d has another number of cells than the header: %(cells)d instead of %(width)d.")
    _refuse("file", "bad_row", sentence % {"line": record.line, "cells": len(record.cells), "width": width})


def _read_objects(source: IO[bytes]) -> tuple[int, tuple[str, ...]]:
    columns: tuple[str, ...] = ()
    rows = 0
    for record in records(source, DataKind.JSON_LINES):
        _refuse_number(record)
        text = _decode(record)
        if record.is_blank:
            continue
        found = parse_object(text)
        if found is None:
            _refuse("file", "bad_row", _("Line %(line)d is no JSON object.") % {"line": record.line})
        if not rows:
            names = [name for name in found if len(name) <= MAX_COLUMN_CHARS and not _CONTROL.search(name)]
            columns = tuple(names[:MAX_COLUMNS])
        rows += 1
    if not rows:
        _refuse("file", "no_rows", _("There is no line with a JSON object."))
    return rows, columns


def parse_object(text: str) -> dict[str, Any] | None:
    """The JSON object in a line; None for anything else. NaN and Infinity are no JSON."""
    try:
        found = _JSON.decode(text.removeprefix("\ufeff"))
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _no_constant(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")


_JSON = json.JSONDecoder(parse_constant=_no_constant)
"""Made once: `json.loads` with an option makes one for each line."""


def _decode(record: Record) -> str:
    try:
        text = record.raw.decode()
    except UnicodeDecodeError as error:
        _refuse_bytes(record.raw, error.start, line=record.line, offset=record.offset)
    if "\0" in text:
        _refuse_bytes(record.raw, record.raw.index(0), line=record.line, offset=record.offset)
    return text


def _refuse_utf16(head: bytes) -> None:
    """Before it is read as CSV, which would find fault with its line ends."""
    if head.startswith(UTF_16_BOMS):
        _refuse("file", "not_utf8", _("The file is in UTF-16. Save it as UTF-8."))
    if (place := head.find(0)) >= 0:
        _refuse_bytes(head, place)


def _refuse_bytes(data: bytes, place: int, *, line: int = 1, offset: int = 0) -> NoReturn:
    """`line` and `offset`: where `data` begins."""
    sentence = _("The file is not UTF-8: byte %(byte)s at position %(position)d, in line %(line)d. Save it as UTF-8.")
    where = {
        "byte": f"0x{data[place]:02X}",
        "position": offset + place + 1,
        "line": line + data.count(b"\n", 0, place),
    }
    _refuse("file", "not_utf8", sentence % where)


def _refuse(field: str, code: str, sentence: str) -> NoReturn:
    raise Invalid(sentence, code=code, fields={field: [sentence]})
