"""Which users run on which worker. Pure: knows nothing of Locust.

Users stand in a row, each with a worker and a class, and so many of them run as are wanted: who comes last goes first.
So what each worker runs follows from the number alone, whatever way led there, and none ever runs more than its quota.
"""

import math
from collections.abc import Collection, Mapping
from heapq import heapify, heappop, heappush, heapreplace
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
        self._allow(None)
        self._row: list[User] = []
        self._places: _Places | None = None
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
            self._allow(wanted)
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
        self._row, self.users, self._places = kept, 0, None
        self._by_worker = dict.fromkeys(quotas, 0)
        self._by_class = self._none()
        self._counts = {worker: self._none() for worker in quotas}
        self.go(wanted)

    def _allow(self, allowed: frozenset[str] | None) -> None:
        self._allowed = allowed
        classes = [one for one in self._classes if allowed is None or one.name in allowed]
        self._fixed = [one for one in classes if one.fixed_count]
        self._weighted = [one for one in classes if not one.fixed_count and one.weight > 0]

    def _none(self) -> dict[str, int]:
        return {one.name: 0 for one in self._classes}

    def _count(self, user: User, by: int) -> None:
        self.users += by
        self._by_worker[user.worker] += by
        self._by_class[user.class_name] += by
        self._counts[user.worker][user.class_name] += by

    def _next(self) -> User | None:
        name = self._next_class()
        if name is None or self.users >= self._room:
            return None
        if self._places is None or self._places.users != self.users:
            self._places = _Places(self._quotas, self._by_worker, self._counts, self.users)
        return User(self._places.next(name), name)

    def _next_class(self) -> str | None:
        missing = [(self._by_class[one.name] - one.fixed_count, one.name) for one in self._fixed]
        if missing and min(missing)[0] < 0:
            return min(missing)[1]
        return min(self._weighted, key=self._gain).name if self._weighted else None

    def _gain(self, one: UserClass) -> tuple[float, str]:
        """By how much one more of this class brings the mix nearer to the weights, as Locust reckons it for one process
        (Kullback-Leibler divergence; `locust/dispatch.py`)."""
        x = self._by_class[one.name] + one.weight
        return one.weight * math.log2(x / (x + 1.0)), one.name


class _Places:
    """Where the next user goes: to a worker that has less than its part of all users; of those, where this class is
    missing most. The emptiest one would be right for the users, but where quotas differ by one it gets the same class
    each time.

    Made for so many `users`, and right as long as each who comes has been asked for here. All workers are looked at in
    the beginning; afterwards those of whom something has changed, once somebody of the class comes.
    """

    def __init__(
        self,
        quotas: Mapping[int, int],
        by_worker: Mapping[int, int],
        counts: Mapping[int, Mapping[str, int]],
        users: int,
    ) -> None:
        """Of what there is, `by_worker` and `counts` tell at any time; with more users both only grow."""
        self.users = users
        self._quotas = {worker: quota for worker, quota in quotas.items() if quota}
        self._room = sum(quotas.values())
        self._by_worker, self._counts = by_worker, counts
        self._open: dict[str, list[tuple[float, float, int]]] = {}
        """By class, a heap of workers by `_want`, which may have grown meanwhile."""
        self._full: dict[str, list[tuple[int, int]]] = {}
        """By class, a heap of the others by `_opens_at`, which may have grown meanwhile."""

    def next(self, name: str) -> int:
        """The worker; there must be room. Counts the user as one who has come."""
        if name not in self._open:
            self._open[name], self._full[name] = [self._want(worker, name) for worker in self._quotas], []
            heapify(self._open[name])
        open_, full = self._open[name], self._full[name]
        while full and full[0][0] <= self.users:
            heappush(open_, self._want(heappop(full)[1], name))
        while True:
            worker = open_[0][-1]
            if (opens_at := self._opens_at(worker)) > self.users:
                heappop(open_)
                heappush(full, (opens_at, worker))
            elif (want := self._want(worker, name)) != open_[0]:
                heapreplace(open_, want)
            else:
                self.users += 1
                return worker

    def _opens_at(self, worker: int) -> int:
        """With how many users in all its part of one more is more than it has. There is always such a worker."""
        return self._by_worker[worker] * self._room // self._quotas[worker]

    def _want(self, worker: int, name: str) -> tuple[float, float, int]:
        """The smallest is who lacks most of this class for its size (Webster's method), then who is emptiest."""
        quota = self._quotas[worker]
        return (2 * self._counts[worker][name] + 1) / quota, self._by_worker[worker] / quota, worker
