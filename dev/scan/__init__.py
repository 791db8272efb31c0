"""Scanners of `make scan` that are the project's own. They run in the scanners' environment."""
