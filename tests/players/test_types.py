"""The types of the real players."""

from typing import Final

import pytest

from dev import ROOT
from tests.support.commands import skip_or_fail, succeed

TYPESCRIPT: Final = ROOT / "clients" / "js" / "node_modules" / ".bin" / "tsc"
PLAYERS: Final = ROOT / "tests" / "players"

pytestmark = [pytest.mark.e2e, pytest.mark.long]


def test_the_entries_accept_the_players_own_types() -> None:
    """The entries accept the types that the players' packages declare, checked strictly."""
    if not TYPESCRIPT.exists() or not (PLAYERS / "node_modules").exists():
        skip_or_fail("TypeScript or the players are not installed: `make test-long` fetches them with npm.")
    succeed(TYPESCRIPT, "--project", PLAYERS)
