"""A steady load that no machine minds: ten requests a second and user, over `ENDPOINTS` names in turn.

`ARM` is in the path where several ask the same target.
"""

import itertools
import os

from locust import FastHttpUser, constant_pacing, task

NAMES = itertools.cycle([f"/page/{number}" for number in range(int(os.environ["ENDPOINTS"]))])
PATH = f"/ok/{os.environ.get('ARM', '')}"


class Visitor(FastHttpUser):
    wait_time = constant_pacing(0.1)

    @task
    def visit(self) -> None:
        self.client.get(PATH, name=next(NAMES))
