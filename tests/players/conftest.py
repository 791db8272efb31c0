"""A browser, services, and a dev server of another origin with a page for each player."""

from collections.abc import Iterator
from typing import Final

import pytest
from playwright.sync_api import Browser

from dev import ROOT
from dev.local.local_service import LocalService
from tests.players.screen import BRIEF_LEASES, SETTINGS, Rival, Screen, opened
from tests.support.browser import installed_browser
from tests.support.commands import skip_or_fail
from tests.support.loopback import LoopbackServer, Pages

HERE: Final = ROOT / "tests" / "players"
FOLDERS: Final = {"/client/": ROOT / "clients" / "js", "/": HERE}
PLAYERS: Final = HERE / "node_modules"


class PlayerPages(Pages):
    """The pages, the client and the players, as a dev server has them."""

    def translate_path(self, path: str) -> str:
        """Return the file of a path."""
        prefix, folder = next(one for one in FOLDERS.items() if path.startswith(one[0]))
        return str(folder / path.partition("?")[0].removeprefix(prefix))

    def end_headers(self) -> None:
        """Forbid the browser to cache anything."""
        self.send_header("cache-control", "no-store")
        super().end_headers()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Return a Chromium of this machine."""
    if not PLAYERS.exists():
        skip_or_fail("The players are not installed: `make test-long` fetches them with npm.")
    with installed_browser() as browser:
        yield browser


@pytest.fixture(scope="module")
def lasting_service() -> Iterator[LocalService]:
    """Yield a service that lets each user play once, with leases that no busy machine outlasts."""
    with LocalService(SETTINGS) as service:
        yield service


@pytest.fixture(scope="module")
def brief_service() -> Iterator[LocalService]:
    """Yield the same with short leases."""
    with LocalService(SETTINGS | BRIEF_LEASES) as service:
        yield service


@pytest.fixture
def brief_leases() -> None:
    """Mark a test that waits for the end of a lease."""


@pytest.fixture
def service(request: pytest.FixtureRequest) -> LocalService:
    """Return the service of a test, with short leases only where it asks for them."""
    name = "brief_service" if "brief_leases" in request.fixturenames else "lasting_service"
    service: LocalService = request.getfixturevalue(name)
    return service


@pytest.fixture(scope="module")
def origin() -> Iterator[str]:
    """Yield the origin of the pages."""
    with LoopbackServer(PlayerPages, "localhost") as server:
        yield server.url


@pytest.fixture
def rival(service: LocalService, user_id: str) -> Rival:
    """Return another screen of the user."""
    return Rival(service.url, user_id)


@pytest.fixture
def playing_rival(rival: Rival) -> None:
    """Start the rival, which takes the user's only slot."""
    rival.start()


@pytest.fixture
def screen(
    request: pytest.FixtureRequest, browser: Browser, service: LocalService, origin: str, user_id: str
) -> Iterator[Screen]:
    """Yield a screen with the player of the test's class, which has not played yet."""
    options = getattr(request, "param", {})
    with opened(browser, f"{origin}/{request.cls.page}", service.url, user_id, options) as screen:
        yield screen
