"""hls.js."""

from typing import ClassVar

import pytest

from tests.players.scenarios import CarryingTokens, ChoosingQualities, Scenarios

pytestmark = [pytest.mark.e2e, pytest.mark.long]


class TestHls(Scenarios, ChoosingQualities, CarryingTokens):
    """The loaders of hls.js wait for tokens."""

    page: ClassVar = "hls.html"
