"""Which users run on which worker. Pure: knows nothing of Locust.

Users stand in a row, each with a worker and a class, and so many of them run as are wanted: who comes last goes first.
So what each worker runs follows from the number alone, whatever way led there, and none ever runs more than its quota.
"""

import math
from collections.abc import Collection, Mapping
from typing import NamedTuple


class UserClass(NamedTuple):
    """Of a `fixed_count` other than 0 there are so many users, before all others; the rest is shared by weight."""

    name: str
    weight: float
    fixed_count: int = 0


class User(NamedTuple):
    worker: int
    class_name: str


class Dispatch:
    """`quotas`: the most users of each worker, by its index."""

    def __init__(self, quotas: Mapping[int, int], classes: Collection[UserClass]) -> None:
        self.users = 0
        """How many run: fewer than wanted when there is no room, or no class for more."""
        self._wanted = 0
        self._quotas = dict(quotas)
        self._room = sum(quotas.values())
        self._classes = sorted(classes)
        self._allowed: frozenset[str] | None = None
        self._row: list[User] = []
        self._by_worker = dict.fromkeys(quotas, 0)
        self._by_class = {one.name: 0 for one in self._classes}
        self._counts = {worker: self._none() for worker in quotas}

    def go(self, users: int) -> None:
        """Have so many users from now on."""
        self._wanted = users
        while self.users < users:
            if self.users == len(self._row):
                found = self._next()
                if found is None:
                    return
                self._row.append(found)
            self._count(self._row[self.users], 1)
        while self.users > users:
            self._count(self._row[self.users - 1], -1)

    def counts(self) -> dict[int, dict[str, int]]:
        """Users by worker and class, zeros included."""
        return {worker: dict(by_class) for worker, by_class in self._counts.items()}

    def by_class(self) -> dict[str, int]:
        return dict(self._by_class)

    def restrict(self, allowed: Collection[str] | None) -> None:
        """Only these classes for users who come from now on; None: all."""
        wanted = None if allowed is None else frozenset(allowed)
        if wanted != self._allowed:
            self._allowed = wanted
            del self._row[self.users :]

    def change(self, quotas: Mapping[int, int]) -> None:
        """Other workers, or other quotas. Who can stay where he is stays; the others go elsewhere if there is room, as
        do those for whom there was none before."""
        wanted, room = self._wanted, dict(quotas)
        kept = []
        for user in self._row[: self.users]:
            if room.get(user.worker, 0) > 0:
                room[user.worker] -= 1
                kept.append(user)
        self._quotas, self._room = dict(quotas), sum(quotas.values())
        self._row, self.users = kept, 0
        self._by_worker = dict.fromkeys(quotas, 0)
        self._by_class = self._none()
        self._counts = {worker: self._none() for worker in quotas}
        self.go(wanted)

    def _none(self) -> dict[str, int]:
        return {one.name: 0 for one in self._classes}

    def _count(self, user: User, by: int) -> None:
        self.users += by
        self._by_worker[user.worker] += by
        self._by_class[user.class_name] += by
        self._counts[user.worker][user.class_name] += by

    def _next(self) -> User | None:
        """On a worker that has less than its part of all users; of those, where this class is missing most. The
        emptiest one would be right for the users, but where quotas differ by one it gets the same class each time."""
        name = self._next_class()
        if name is None or self.users >= self._room:
            return None
        below = [worker for worker, quota in self._quotas.items() if self._is_below(worker, quota)]
        return User(max(below, key=lambda worker: self._lack(worker, name)), name)

    def _is_below(self, worker: int, quota: int) -> bool:
        """Its part of one user more than there are; some worker always is."""
        return self._by_worker[worker] * self._room < quota * (self.users + 1)

    def _lack(self, worker: int, name: str) -> tuple[int, int, int]:
        """How many of this class it lacks, and how many users, in parts of one; the first one before others."""
        quota, room = self._quotas[worker], self._room
        of_class = quota * (self._by_class[name] + 1) - room * self._counts[worker][name]
        return of_class, quota * self.users - room * self._by_worker[worker], -worker

    def _next_class(self) -> str | None:
        classes = [one for one in self._classes if self._allowed is None or one.name in self._allowed]
        missing = [(self._by_class[one.name] - one.fixed_count, one.name) for one in classes if one.fixed_count]
        if missing and min(missing)[0] < 0:
            return min(missing)[1]
        weighted = [one for one in classes if not one.fixed_count and one.weight > 0]
        return min(weighted, key=self._gain).name if weighted else None

    def _gain(self, one: UserClass) -> tuple[float, str]:
        """By how much one more of this class brings the mix nearer to the weights, as Locust reckons it for one process
        (Kullback-Leibler divergence; `locust/dispatch.py`)."""
        x = self._by_class[one.name] + one.weight
        return one.weight * math.log2(x / (x + 1.0)), one.name
