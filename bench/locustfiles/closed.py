"""As many requests as one Locust process can make: `ENDPOINTS` names, all answered at once.

`ARM` is in the path, so that the target can tell who asks.
"""

import itertools
import os

from locust import FastHttpUser, task

NAMES = itertools.cycle([f"/page/{number}" for number in range(int(os.environ["ENDPOINTS"]))])
PATH = f"/ok/{os.environ['ARM']}"


class Visitor(FastHttpUser):
    @task
    def visit(self) -> None:
        self.client.get(PATH, name=next(NAMES))
