"""A plain `<video>`: recent releases of Chromium play HLS natively, as Safari does."""

from typing import ClassVar

import pytest

from tests.players.scenarios import Scenarios

pytestmark = [pytest.mark.e2e, pytest.mark.long]


class TestVideo(Scenarios):
    """Its requests carry the token in a cookie."""

    page: ClassVar = "video.html"
