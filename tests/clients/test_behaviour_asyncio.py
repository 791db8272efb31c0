"""The Python client for asyncio in the suite that all clients pass."""

import sys
from pathlib import Path

import pytest

from tests.clients.behaviour import Behaviour, outage, plan, service, store, tokens
from tests.clients.installed import python_client

__all__ = ["outage", "plan", "service", "store", "tokens"]  # fixtures


@pytest.mark.e2e
@pytest.mark.long
class TestAsyncio(Behaviour):
    """The suite for asyncio: heartbeats come from a task."""

    @staticmethod
    def install(folder: Path) -> list[str]:
        """Install its wheel."""
        return [sys.executable, str(python_client(folder)), "asyncio"]
