"""The Python client for threads in the suite that all clients pass."""

import sys

import pytest

from tests.clients.behaviour import HERE, Behaviour, service, store

__all__ = ["service", "store"]  # fixtures


@pytest.mark.e2e
class TestThreads(Behaviour):
    """Its heartbeats come from a thread."""

    @staticmethod
    def command() -> list[str]:
        """Start Python."""
        return [sys.executable, str(HERE / "player.py"), "threads"]
