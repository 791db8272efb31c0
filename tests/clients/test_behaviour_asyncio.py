"""The Python client for asyncio in the suite that all clients pass."""

import sys

import pytest

from tests.clients.behaviour import HERE, Behaviour, service, store

__all__ = ["service", "store"]  # fixtures


@pytest.mark.e2e
class TestAsyncio(Behaviour):
    """Its heartbeats come from a task."""

    @staticmethod
    def command() -> list[str]:
        """Start Python."""
        return [sys.executable, str(HERE / "player.py"), "asyncio"]
