"""Ramp-up, steady, ramp-down and pauses of a run, from its plan, what was changed, and the users there were. Pure.

What was planned says where a phase may begin; what was measured says when its users were reached. Seconds are UTC epoch
seconds; both ends of a phase belong to it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import pairwise
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

CONSTANT_SECONDS = 10
"""A shape of the script's own is steady where it wants the same users for so long."""


class Kind(StrEnum):
    RAMP_UP = "ramp_up"
    STEADY = "steady"
    RAMP_DOWN = "ramp_down"
    PAUSED = "paused"


@dataclass(frozen=True, slots=True)
class Level:
    """How many users there were in the seconds from `t` on."""

    t: int
    seconds: int
    low: int
    high: int
    target: int | None = None
    """Users wanted, where the collector knows."""

    @property
    def end(self) -> int:
        """The first second after it."""
        return self.t + self.seconds


@dataclass(frozen=True, slots=True)
class Stage:
    """One line of the plan."""

    duration_s: float
    users: int


@dataclass(frozen=True, slots=True)
class Change:
    """What somebody changed while it ran; None is as it was."""

    at: float
    users: int | None = None
    is_paused: bool | None = None


@dataclass(frozen=True, slots=True)
class Phase:
    """`users` is where it goes to, or what it holds."""

    kind: Kind
    stage: int | None
    """1, 2, 3 … of a run in stages."""
    from_t: int
    to_t: int
    users: int

    @property
    def label(self) -> str:
        """A sentence for people."""
        text = _sentence(self.kind, self.users)
        return text if self.stage is None else _("Stage %(stage)d: %(text)s") % {"stage": self.stage, "text": text}


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What was wanted from the second `from_t` until the next of these."""

    from_t: int
    users: int
    stage: int | None
    is_paused: bool


def changes(events: Iterable[tuple[float, Mapping[str, Any]]]) -> list[Change]:
    """From `(moment, data)` of events of the kind `control`, in order. Values are `[before, after]`."""
    found = []
    for at, data in events:
        users, paused = _after(data.get("users")), _after(data.get("paused"))
        wanted = int(users) if isinstance(users, (int, float)) and not isinstance(users, bool) else None
        is_paused = paused if isinstance(paused, bool) else None
        if wanted is not None or is_paused is not None:
            found.append(Change(at, wanted, is_paused))
    return sorted(found, key=lambda change: change.at)


def planned(
    stages: Sequence[Stage], changed: Sequence[Change], levels: Sequence[Level], *, started: float, is_ending: bool
) -> list[Phase]:
    """The phases of a run that the portal drives. One stage is a plain load, whose phases have no number.

    `is_ending`: its users are being stopped, or are; then the last seconds below what was wanted are a ramp-down.
    """
    if not levels:
        return []
    wanted = _wanted(stages, changed, started)
    end = levels[-1].end
    starts = [max(levels[0].t, part.from_t) for part in wanted[1:]]
    borders = [levels[0].t, *(min(end, start) for start in starts), end]
    found: list[Phase] = []
    for part, (first, after) in zip(wanted, pairwise(borders), strict=True):
        found += _phases_of(part, first, after, levels, is_last=is_ending and after == end)
    return _joined(found)


def measured(levels: Sequence[Level]) -> list[Phase]:
    """The phases of a shape that only the script knows: steady where users stay the same, ramps between."""
    holds = [hold for hold in _holds(levels) if hold[1] - hold[0] >= CONSTANT_SECONDS and hold[2] > 0]
    if not levels:
        return []
    found: list[Phase] = []
    at, users = levels[0].t, 0
    for first, after, level in holds:
        # Wanted is not reached yet: those seconds still belong to the way there.
        reached = _reached(levels, first, after, level, up=level >= users) or after
        found += _between(at, reached, users, level)
        found += _part(Kind.STEADY, None, reached, after, level)
        at, users = after, level
    end = levels[-1].end
    if at < end:
        high = max(level.high for level in levels if level.end > at)
        found += _between(at, end, users, levels[-1].low if holds else high)
    return _joined(found)


def _wanted(stages: Sequence[Stage], changed: Sequence[Change], started: float) -> list[_Wanted]:
    """Stages from the start on, and changes laid over them: a number of users holds to the end of the run."""
    is_plain = len(stages) == 1
    begins: list[tuple[float, int | None, int]] = []
    at = started
    for place, stage in enumerate(stages, start=1):
        begins.append((at, None if is_plain else place, stage.users))
        at += stage.duration_s
    moments = sorted({*(begin for begin, _, _ in begins), *(change.at for change in changed)})
    found: list[_Wanted] = []
    for moment in moments:
        number, users = next(((n, u) for begin, n, u in reversed(begins) if begin <= moment), begins[0][1:])
        steered = [change.users for change in changed if change.at <= moment and change.users is not None]
        paused = [change.is_paused for change in changed if change.at <= moment and change.is_paused is not None]
        if steered:
            number, users = None, steered[-1]
        part = _Wanted(math.floor(moment), users, number, bool(paused and paused[-1]))
        if not found or part != replace(found[-1], from_t=part.from_t):
            found.append(part)
    return found


def _phases_of(part: _Wanted, first: int, after: int, levels: Sequence[Level], *, is_last: bool) -> list[Phase]:
    if first >= after:
        return []
    if part.is_paused:
        return _part(Kind.PAUSED, part.stage, first, after, 0)
    before = next((level.high for level in reversed(levels) if level.end <= first), 0)
    up = part.users > before
    reached = first if part.users == before else _reached(levels, first, after, part.users, up=up)
    way = Kind.RAMP_UP if up else Kind.RAMP_DOWN
    if reached is None:
        return _part(way, part.stage, first, after, part.users)
    leaves = _leaves(levels, reached, after, part.users) if is_last else after
    return [
        *_part(way, part.stage, first, reached, part.users),
        *_part(Kind.STEADY if part.users else Kind.PAUSED, part.stage, reached, leaves, part.users),
        *_part(Kind.RAMP_DOWN, part.stage, leaves, after, 0),
    ]


def _reached(levels: Sequence[Level], first: int, after: int, users: int, *, up: bool) -> int | None:
    """The first second, from `first` and before `after`, that has these users; None when there is none."""
    for level in levels:
        if level.end > first and level.t < after and (level.high >= users if up else level.low <= users):
            # Within seconds that were rolled into one it was reached at some time: only the next ones surely have it.
            sure = level.t if level.low == level.high or level.seconds == 1 else level.end
            return max(first, sure) if sure < after else None
    return None


def _leaves(levels: Sequence[Level], reached: int, after: int, users: int) -> int:
    """Where the last seconds with fewer users begin."""
    at = after
    for level in reversed(levels):
        if level.t < reached or level.low >= users:
            break
        at = level.t
    return at


def _holds(levels: Sequence[Level]) -> Iterator[tuple[int, int, int]]:
    """First second, first second after it, and users, of each stretch in which the same users are wanted."""
    begin: Level | None = None
    last: Level | None = None
    for level in levels:
        if begin is not None and last is not None and level.t == last.end and _same(begin, level):
            last = level
            continue
        if begin is not None and last is not None:
            yield begin.t, last.end, _goal(begin)
        begin = last = level if level.target is not None or level.low == level.high else None
    if begin is not None and last is not None:
        yield begin.t, last.end, _goal(begin)


def _goal(level: Level) -> int:
    return level.high if level.target is None else level.target


def _same(one: Level, other: Level) -> bool:
    is_level = other.target is not None or other.low == other.high
    return is_level and (one.target is None) == (other.target is None) and _goal(one) == _goal(other)


def _between(first: int, after: int, before: int, users: int) -> list[Phase]:
    return _part(Kind.RAMP_UP if users >= before else Kind.RAMP_DOWN, None, first, after, users)


def _part(kind: Kind, stage: int | None, first: int, after: int, users: int) -> list[Phase]:
    return [Phase(kind, stage, first, after - 1, users)] if first < after else []


def _joined(phases: Sequence[Phase]) -> list[Phase]:
    """Neighbours that are the same are one."""
    found: list[Phase] = []
    for phase in phases:
        if found and (phase.kind, phase.stage, phase.users) == (found[-1].kind, found[-1].stage, found[-1].users):
            found[-1] = Phase(phase.kind, phase.stage, found[-1].from_t, phase.to_t, phase.users)
        else:
            found.append(phase)
    return found


def _after(value: object) -> object:
    """The second of `[before, after]`; a plain value is itself."""
    return value[-1] if isinstance(value, (list, tuple)) and value else value


def _sentence(kind: Kind, users: int) -> str:
    match kind:
        case Kind.RAMP_UP:
            text = ngettext("Ramp-up to %(users)d user", "Ramp-up to %(users)d users", users)
        case Kind.STEADY:
            text = ngettext("Steady at %(users)d user", "Steady at %(users)d users", users)
        case Kind.RAMP_DOWN:
            text = ngettext("Ramp-down to %(users)d user", "Ramp-down to %(users)d users", users)
        case Kind.PAUSED:
            text = _("Paused")
    return text % {"users": users} if "%" in text else text
