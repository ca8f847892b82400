"""As many requests as one Locust process can make: no user waits. `ENDPOINTS` names, all answered at once."""

import itertools
import os

from locust import FastHttpUser, task

NAMES = itertools.cycle([f"/page/{number}" for number in range(int(os.environ["ENDPOINTS"]))])


class Visitor(FastHttpUser):
    @task
    def visit(self) -> None:
        self.client.get("/ok", name=next(NAMES))
