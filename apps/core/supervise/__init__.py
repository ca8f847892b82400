"""`make up` on one machine: one small process that holds all the others.

It imports nothing of Django, so that holding costs little memory; what needs Django is a child process.
"""
