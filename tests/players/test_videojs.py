"""Video.js."""

from typing import ClassVar

import pytest

from tests.players.scenarios import CarryingTokens, ChoosingQualities, Scenarios

pytestmark = [pytest.mark.e2e, pytest.mark.long]


class TestVideoJs(Scenarios, ChoosingQualities, CarryingTokens):
    """The requests of Video.js wait for tokens."""

    page: ClassVar = "videojs.html"
