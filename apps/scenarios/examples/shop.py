"""People look around in a shop; some of them buy."""

import random

from locust import HttpUser, between, tag, task


class Visitor(HttpUser):
    """Looks at products and leaves."""

    weight = 3
    wait_time = between(0.2, 0.8)

    @task(5)
    def browse(self):
        self.client.get("/api/products")

    @task(3)
    def look_at_product(self):
        product = random.randint(1, 50)
        # One name for all products: with the id in it there would be fifty endpoints.
        # "Group names that differ only by ids", in the tab Load, does the same for scripts that cannot be changed.
        self.client.get(f"/api/products/{product}", name="/api/products/{id}")

    @tag("recommendations")
    @task(1)
    def read_recommendations(self):
        self.client.get("/api/recommendations")


class Buyer(HttpUser):
    """Puts something into the cart and pays."""

    wait_time = between(0.5, 1.5)

    @task
    def buy(self):
        self.client.get("/api/products")
        self.client.post("/api/cart", json={"product": random.randint(1, 50), "quantity": 1})
        self.client.post("/api/checkout", json={"card": "test"})
