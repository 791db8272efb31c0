"""The JavaScript client in the suite that all clients pass."""

import shutil

import pytest

from tests.clients.behaviour import HERE, Behaviour, service, store
from tests.support import skip_or_fail

__all__ = ["service", "store"]  # fixtures


@pytest.mark.e2e
class TestJavaScript(Behaviour):
    """Its players run in Node."""

    @staticmethod
    def command() -> list[str]:
        """Start Node."""
        node = shutil.which("node")
        if node is None:
            skip_or_fail("Node is not installed (20 or later): the JavaScript client needs it.")
        return [node, str(HERE / "player.mjs")]
