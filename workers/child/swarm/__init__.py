"""One test in several Locust processes: a master that decides and counts, and workers that make the load.

Locust's own classes do the work; what is replaced here is what went wrong with them (docs/adr/0011): who gets how many
users, what happens when a worker goes and comes, the end of the test, and who may talk to the master at all.
"""
