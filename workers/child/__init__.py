"""Runs inside the Locust process: loaded by `launch.py` as the package `hatchery_child`, never on the portal's path."""
