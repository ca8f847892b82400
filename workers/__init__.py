"""The engine: owns Locust child processes. No Django here except in `jobs.py`."""
