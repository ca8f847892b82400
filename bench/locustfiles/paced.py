"""A steady load that no machine minds: ten requests a second and user, over `ENDPOINTS` names in turn."""

import itertools
import os

from locust import FastHttpUser, constant_pacing, task

NAMES = itertools.cycle([f"/page/{number}" for number in range(int(os.environ["ENDPOINTS"]))])


class Visitor(FastHttpUser):
    wait_time = constant_pacing(0.1)

    @task
    def visit(self) -> None:
        self.client.get("/ok", name=next(NAMES))
