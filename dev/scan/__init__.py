"""Checks that are the project's own.

`prose` is part of `make lint`; the others are part of `make scan`, and run in the scanners' environment.
"""
