"""Users of whom each tells the target that it is here, and then does next to nothing. `ARM` is in the path."""

import os

from locust import FastHttpUser, constant, task

PATH = f"/ok/{os.environ['ARM']}"


class Visitor(FastHttpUser):
    wait_time = constant(5)

    def on_start(self) -> None:
        self.client.get(f"{PATH}/here", name="/here")

    @task
    def visit(self) -> None:
        self.client.get(PATH, name="/page")
