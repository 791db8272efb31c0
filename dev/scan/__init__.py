"""The project's own checks.

`prose` is part of `make lint`; the others are part of `make scan` and run in its environment.
"""
