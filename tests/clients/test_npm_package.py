"""The JavaScript client as npm installs it: its package's metadata, and projects that are built with it."""

import functools
import json
import shutil
import tarfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Final

import pytest
import yaml
from playwright.sync_api import Browser, Page

from dev import ROOT
from tests.clients.installed import examples, javascript_package, npm
from tests.support.browser import installed_browser
from tests.support.commands import skip_or_fail, succeed
from tests.support.loopback import LoopbackServer, Pages

CLIENT: Final = ROOT / "clients" / "js"
PROJECTS: Final = Path(__file__).parent / "projects"
PLAYERS: Final = {"hls", "shaka", "video", "videojs"}
HOLD: Final = {"streamCount": 1, "maxStreams": 3, "expiresInSeconds": 90, "heartbeatSeconds": 30}

# The parts that the README's example leaves to its page.
TELEVISION: Final = """<!doctype html>
<script>
  function accessToken() { return "token"; }
  function showWhoIsWatching() {}
</script>
"""


class Site(Pages, BaseHTTPRequestHandler):
    """Pages and an API that admits every start, at one origin; `requests` has each path and body."""

    requests: list[tuple[str, dict[str, object]]]

    def do_POST(self) -> None:
        """Admit."""
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.requests.append((self.path, body))
        answer = json.dumps(HOLD).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)


def site() -> type[Site]:
    """Yield a site without any requests yet."""
    return type("New", (Site,), {"requests": []})


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the file that `npm pack` makes."""
    return javascript_package(tmp_path_factory.mktemp("package"))


@pytest.fixture
def page() -> Iterator[Page]:
    """Yield a page of a Chromium of this machine; it must raise no error."""
    with installed_browser() as browser:
        yield from watched(browser)


def watched(browser: Browser) -> Iterator[Page]:
    """Open a page, and check in the end that it raised no error."""
    errors: list[str] = []
    page = browser.new_page()
    page.on("pageerror", lambda error: errors.append(str(error)))
    yield page
    assert errors == []


def test_the_package_has_exactly_the_expected_files(package: Path) -> None:
    """The package has the modules, types, builds, licence and changes, but no test and no tool's setting."""
    with tarfile.open(package) as archive:
        names = {name.removeprefix("package/") for name in archive.getnames()}
        licence = archive.extractfile("package/LICENSE")
        assert licence is not None
        assert licence.read() == (ROOT / "LICENSE").read_bytes()
    players = {f"{place}/{name}.js" for place in ("players", "dist/es2015/players") for name in PLAYERS}
    stubs = {f"{name}/package.json" for name in PLAYERS}
    expected = {"CHANGELOG.md", "README.md", "index.js", "index.d.ts", "dist/stream-limiter-client.js"}
    assert {*expected, *players, *stubs} <= names
    assert {name for name in names if name.startswith(("test", "tsconfig", "node_modules"))} == set()


def test_every_kind_of_module_resolution_finds_modules_and_types(package: Path) -> None:
    """Two checkers confirm, as before publishing, that every kind of resolution finds modules and types."""
    publish = yaml.safe_load((ROOT / ".github" / "workflows" / "publish.yml").read_text(encoding="utf-8"))
    commands = [step.get("run", "") for step in publish["jobs"]["build-js"]["steps"]]
    check = commands[commands.index("npm pack") + 1]
    assert ("publint --strict" in check, "attw " in check) == (True, True)
    assert {"npm test", "npm run types"} <= set(commands)
    (package.parent / "node_modules").symlink_to(CLIENT / "node_modules")
    succeed("bash", "-e", "-c", check, cwd=package.parent)


@pytest.mark.e2e
@pytest.mark.long
@pytest.mark.parametrize("bundler", ["vite", "webpack4"])
def test_a_project_built_with_the_package_runs(
    bundler: str, package: Path, page: Page, tmp_path: Path
) -> None:
    """The page of a built project takes a slot, and has the entry of each player."""
    tools = PROJECTS / bundler / "node_modules"
    if not tools.exists():
        skip_or_fail(f"{bundler} is not installed: `npm ci` in tests/clients/projects/{bundler} installs it.")
    succeed(npm(), "install", "--silent", "--offline", "--no-audit", "--prefix", tmp_path, package)
    project = tmp_path / bundler
    shutil.copytree(PROJECTS / bundler, project, ignore=shutil.ignore_patterns("node_modules"))
    (project / "node_modules").symlink_to(tools)
    for part in ("index.html", "main.js"):
        shutil.copy(PROJECTS / part, project)
    succeed(npm(), "run", "build", cwd=project)
    handler = site()
    with LoopbackServer(functools.partial(handler, directory=project / "dist")) as server:
        page.goto(server.url)
        assert page.evaluate("started") is True
    assert page.evaluate("entries") == ["function"] * 4
    ((path, body),) = handler.requests
    assert (path, body["device"]) == ("/stream/start", "bundled")


@pytest.mark.e2e
def test_the_example_for_televisions(package: Path, page: Page, tmp_path: Path) -> None:
    """With the package's classic script, a video that is played asks for a slot first."""
    with tarfile.open(package) as archive:
        archive.extractall(tmp_path, filter="data")
    (example,) = examples("js", "html")
    handler = site()
    with LoopbackServer(functools.partial(handler, directory=tmp_path / "package" / "dist")) as server:
        html = TELEVISION + example.replace("https://api.example.com", server.url)
        (tmp_path / "package" / "dist" / "index.html").write_text(html, encoding="utf-8")
        page.route("**/film.mp4", lambda _: None)  # it goes on loading: a missing video never plays
        page.goto(server.url)
        with page.expect_response("**/stream/start"):
            page.evaluate("void document.querySelector('video').play().catch(() => {})")
    path, body = handler.requests[0]
    assert (path, body["device"]) == ("/stream/start", "television")
