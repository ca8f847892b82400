"""Runs of several Locust workers, beside bare ones: `make bench ARGS=swarm`, or a part of it, `ARGS=swarm:start`.

Everything is on one machine. Ours is a run of the portal as people start it: the runner's process that leads it, our
master, the runner's process that owns the workers, and these. Bare is `locust --master` with as many `--worker`.
"""
