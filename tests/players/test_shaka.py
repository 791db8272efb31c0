"""Shaka Player."""

from typing import ClassVar

import pytest

from tests.players.scenarios import CarryingTokens, ChoosingQualities, Scenarios

pytestmark = [pytest.mark.e2e, pytest.mark.long]


class TestShaka(Scenarios, ChoosingQualities, CarryingTokens):
    """The request filters of Shaka wait for tokens."""

    page: ClassVar = "shaka.html"
