"""The Java client in the suite that all clients pass."""

from pathlib import Path

import pytest

from tests.clients.behaviour import Behaviour, outage, plan, service, store, tokens
from tests.clients.installed import HERE, java_client, java_program

__all__ = ["outage", "plan", "service", "store", "tokens"]  # fixtures


@pytest.mark.e2e
@pytest.mark.long
class TestJava(Behaviour):
    """The suite for Java: players run on a JDK, at the level of Java 8."""

    @staticmethod
    def install(folder: Path) -> list[str]:
        """Install its jar."""
        player = java_program(folder, java_client(folder), HERE / "Player.java", HERE / "HandClock.java")
        return [*player, "-Dtoken=login", "Player"]
