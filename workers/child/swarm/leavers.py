"""Users who are to stop, and take their time."""

from collections.abc import Callable
from typing import Any

from locust import User
from locust.user.task import LOCUST_STATE_STOPPING

PATIENCE_SECONDS = 5.0
"""For users who are to stop: Locust gives them 3 s and then ends their task, but `on_stop` may take any time."""


class Leavers:
    """Of one runner that has users of its own."""

    def __init__(self, runner: Any) -> None:
        self._runner = runner
        self._leaving: set[Any] = set()
        self._apart: set[Any] = set()
        self._note()
        runner.environment.events.test_stopping.add_listener(lambda **_: self._gather())

    def settle(self, spawning: Any) -> None:
        """Wait until this greenlet has done a step. Who does not leave in time is not counted as a user any more."""
        spawning.join(PATIENCE_SECONDS)
        if not spawning.ready():
            for greenlet in self._leaving & set(self._runner.user_greenlets):
                self._runner.user_greenlets.discard(greenlet)
                self._apart.add(greenlet)
        self._leaving = {greenlet for greenlet in self._leaving if not greenlet.dead}
        self._apart = {greenlet for greenlet in self._apart if not greenlet.dead}

    def _gather(self) -> None:
        """At the end Locust waits for all users, and ends those who take too long."""
        for greenlet in self._apart:
            if not greenlet.dead:
                self._runner.user_greenlets.add(greenlet)

    def _note(self) -> None:
        stop: Callable[..., bool] = User.stop

        def noted(user: Any, force: bool = False) -> bool:
            self._leaving.add(user.greenlet)
            if user._state == LOCUST_STATE_STOPPING and not force:
                return False  # asked before; Locust raises then
            return stop(user, force)

        User.stop = noted  # type: ignore[method-assign,assignment]
