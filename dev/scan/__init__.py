"""The project's own checks.

`prose` is part of `make lint`, and `branches` of `make coverage`.
The others are part of `make scan` and run in its environment.
"""
