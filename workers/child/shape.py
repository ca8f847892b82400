"""The load shape that drives a run's stages."""

from collections.abc import Sequence

from locust import LoadTestShape

from .stages import Stage, users_at


class StagesShape(LoadTestShape):
    """Computes each ramp itself, in steps of a second.

    Locust would block in one stage's ramp until it is complete and skip the stages that should have begun meanwhile.
    """

    abstract = True

    def __init__(self, stages: Sequence[Stage]) -> None:
        super().__init__()
        self.stages = stages
        self.last: tuple[int, float] = (0, 1.0)

    def tick(self) -> tuple[int, float] | None:
        users = users_at(self.stages, self.get_run_time())
        if users is None:
            return None
        step = abs(users - self.last[0])
        if step:
            self.last = (users, float(step))  # the rate takes the whole step at once
        return self.last
