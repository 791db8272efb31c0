"""The Python client for threads in the suite that all clients pass."""

import sys
from pathlib import Path

import pytest

from tests.clients.behaviour import Behaviour, outage, plan, service, store, tokens
from tests.clients.installed import python_client

__all__ = ["outage", "plan", "service", "store", "tokens"]  # fixtures


@pytest.mark.e2e
@pytest.mark.long
class TestThreads(Behaviour):
    """The suite for threads: heartbeats come from a thread."""

    @staticmethod
    def install(folder: Path) -> list[str]:
        """Install its wheel."""
        return [sys.executable, str(python_client(folder)), "threads"]
