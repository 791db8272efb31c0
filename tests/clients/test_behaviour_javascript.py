"""The JavaScript client in the suite that all clients pass."""

import shutil
from pathlib import Path

import pytest

from tests.clients.behaviour import Behaviour, outage, plan, service, store, tokens
from tests.clients.installed import javascript_client
from tests.support.commands import skip_or_fail

__all__ = ["outage", "plan", "service", "store", "tokens"]  # fixtures


@pytest.mark.e2e
@pytest.mark.long
class TestJavaScript(Behaviour):
    """The suite for JavaScript: players run in Node."""

    @staticmethod
    def install(folder: Path) -> list[str]:
        """Install its npm package."""
        node = shutil.which("node")
        if node is None:
            skip_or_fail("Node is not installed (20 or later): the JavaScript client needs it.")
        return [node, str(javascript_client(folder))]
