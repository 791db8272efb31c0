"""`make run`: the service at a developer's desk, over HTTP, as a user of the predecessor meets it."""

import json
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest

from dev import ROOT
from dev.local.local_service import LocalService
from tests.support.commands import succeed
from tests.support.service import check_original_contract
from tests.support.terminal import COLOUR, terminal

pytestmark = pytest.mark.e2e

READY_SECONDS = 10


@pytest.fixture(scope="module")
def service() -> Iterator[LocalService]:
    """Return the service with its default settings."""
    with LocalService() as service:
        yield service


def post(service: LocalService, path: str, **fields: str | list[str]) -> httpx.Response:
    """Make one call, its body sent as curl's -d sends it."""
    return httpx.post(
        f"{service.url}{path}",
        json=fields,
        headers={"content-type": "application/x-www-form-urlencoded"},
    )


def children(pid: int) -> list[str]:
    """Return the running processes that a process has started."""
    listed = subprocess.run(
        ["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True, check=False
    )
    return listed.stdout.split()


def test_make_run_starts_in_time_and_prints_its_address(service: LocalService) -> None:
    """The service prints a curl to try, and that it does not authenticate callers."""
    assert any("curl -X POST" in line for line in service.lines)
    assert any("no authentication" in line for line in service.lines)


def test_the_predecessors_eight_curls_get_the_same_answers(service: LocalService) -> None:
    """Four starts are 200 200 200 403, and four ends 200 200 200 403."""

    def call(name: str) -> tuple[int, dict[str, Any]]:
        answer = post(service, f"/stream/{name}", userId="1")
        return answer.status_code, answer.json()

    check_original_contract(call)


def test_named_streams_are_listed(service: LocalService) -> None:
    """A named stream starts, sends a heartbeat and is listed."""
    assert post(service, "/stream/start", userId="2", streamId="tv", device="living room").is_success
    assert post(service, "/stream/heartbeat", userId="2", streamId="tv").is_success
    listed = httpx.get(f"{service.url}/stream", params={"userId": "2"}).json()
    assert [(stream["streamId"], stream["device"]) for stream in listed["streams"]] == [("tv", "living room")]


def test_it_applies_a_stages_settings_for_players() -> None:
    """Unknown fields are ignored and an anonymous start is refused, as configured; the printed curl works."""
    with LocalService({"UNKNOWN_FIELDS": "ignore", "ANONYMOUS": "refuse"}) as service:
        assert post(service, "/stream/start", userId="1", streamId="pc", appVersion="4.2").is_success
        refused = post(service, "/stream/start", userId="1", appVersion="4.2")
        assert (refused.status_code, refused.json()["errors"][0]["field"]) == (400, "streamId")
        (example,) = (line for line in service.lines if "curl -X POST" in line)
        assert '"streamCount":2' in succeed(*shlex.split(example), "--silent").replace(" ", "")


def test_a_groups_limit_refuses_below_the_total_limit(service: LocalService) -> None:
    """By default the page's second household has one stream in UHD."""
    uhd: dict[str, Any] = {"userId": "3", "groups": ["uhd"]}
    assert post(service, "/stream/start", streamId="tv", **uhd).is_success
    refused = post(service, "/stream/start", streamId="phone", **uhd)
    assert (refused.status_code, refused.json()["code"]) == (403, "limit_reached")
    assert refused.json()["limit"] == {"group": "uhd", "max": 1}
    assert post(service, "/stream/start", userId="3", streamId="phone").is_success
    assert post(service, "/stream/end", userId="3", streamId="tv").is_success
    assert post(service, "/stream/start", streamId="tablet", **uhd).is_success


def test_an_unknown_route_is_404_and_a_wrong_method_405(service: LocalService) -> None:
    """Both have a JSON body, as from API Gateway."""
    unknown = httpx.post(f"{service.url}/stream/pause", json={"userId": "1"})
    assert (unknown.status_code, unknown.json()) == (404, {"message": "Not Found"})
    assert httpx.get(f"{service.url}/stream/start").status_code == 405


def test_a_body_that_is_not_text_is_a_400(service: LocalService) -> None:
    """A body that is not text is a 400, whatever the Content-Type."""
    for content_type in ("application/json", "application/octet-stream", "text/plain; charset=latin-1"):
        answer = httpx.post(
            f"{service.url}/stream/start", content=b"\xff\xfe{}", headers={"content-type": content_type}
        )
        assert answer.status_code == 400
        assert answer.json()["errors"][0]["field"] == "body"


def test_a_page_of_another_origin_can_read_only_the_apis_answers(
    service: LocalService,
) -> None:
    """The API's preflights are answered; the page's view of the store is for that page only."""
    page = {"origin": "http://localhost:5173"}
    asked = page | {"access-control-request-method": "POST", "access-control-request-headers": "content-type"}
    for path in ("/stream/start", "/stream/heartbeat", "/stream/end", "/stream"):
        allowed = httpx.options(f"{service.url}{path}", headers=asked).headers
        assert allowed["access-control-allow-origin"] == page["origin"]
    listed = httpx.get(f"{service.url}/stream", params={"userId": "1"}, headers=page)
    refused = httpx.post(f"{service.url}/stream/end", json={"userId": "never"}, headers=page)
    for answer, status in ((listed, 200), (refused, 403)):
        assert answer.status_code == status
        assert answer.headers["access-control-allow-origin"] == page["origin"]
        assert answer.headers["access-control-expose-headers"] == "retry-after"
    for path in ("/", "/page/item?userId=1", "/page/plan.js", "/client/index.js"):
        answer = httpx.get(f"{service.url}{path}", headers=page)
        assert answer.is_success
        assert not any(name.startswith("access-control-") for name in answer.headers)


def test_a_terminal_shows_a_line_per_request_instead_of_its_event() -> None:
    """A terminal gets a line per request, and a pipe gets the event in JSON."""
    with terminal() as screen:
        command = [sys.executable, "-m", "dev.local.serve"]
        environment = {"PATH": os.environ["PATH"], "PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}"}
        with screen.output() as output:
            process = subprocess.Popen(command, cwd=ROOT, env=environment | {"PORT": "0"}, stdout=output)
        url = screen.wait_for("ready ").rpartition("ready ")[2].strip()
        httpx.post(f"{url}/stream/start", json={"userId": "household", "streamId": "tv"})
        httpx.post(f"{url}/stream/heartbeat", json={"userId": "household", "streamId": "phone"})
        httpx.get(f"{url}/cdn/demo/index.m3u8")
        process.send_signal(signal.SIGINT)
        lines = COLOUR.sub("", screen.wait_for().rpartition("ready ")[2]).splitlines()[1:]
        assert process.wait(READY_SECONDS) == 0
    shown = [re.sub(r" +", " ", line) for line in lines]
    expected = [
        r"\S+ POST /stream/start 200 household tv 1 of 3 \S+ ms",
        r"\S+ POST /stream/heartbeat 410 household phone - \S+ ms stream_gone",
        r"\S+ GET /cdn/demo/index.m3u8 403 - - - \S+ ms missing",
    ]
    assert len(shown) == len(expected)
    assert all(map(re.fullmatch, expected, shown)), shown
    with LocalService() as service:
        post(service, "/stream/start", userId="1")
    (event,) = [json.loads(line) for line in service.lines if line.startswith("{")]
    assert event["outcome"] == "admitted"


def test_it_listens_on_loopback_only(service: LocalService) -> None:
    """Neither the service nor the store that it started can be reached from another machine."""
    for pid in (str(service.process.pid), *children(service.process.pid)):
        listening = subprocess.run(["ss", "-Hltnp"], capture_output=True, text=True, check=True).stdout
        addresses = [line.split()[3] for line in listening.splitlines() if f"pid={pid}," in line]
        assert addresses
        assert all(address.startswith(("127.", "[::1]")) for address in addresses)


@pytest.mark.parametrize(
    "how", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP], ids=["SIGTERM", "Ctrl-C", "the terminal is closed"]
)
def test_it_stops_cleanly_and_leaves_no_process(how: signal.Signals) -> None:
    """The service is ready within 10 seconds, and its store ends with it."""
    with hangups(signal.SIG_DFL), LocalService() as service:
        assert time.monotonic() - service.began < READY_SECONDS
        started = children(service.process.pid)
        assert started
        assert service.stop(how) == 0
    for pid in started:
        assert subprocess.run(["ps", "-p", pid], capture_output=True, check=False).returncode == 1


def test_under_nohup_it_outlives_its_terminal() -> None:
    """A service that was started to ignore the end of its terminal continues after it."""
    with hangups(signal.SIG_IGN), LocalService() as service:  # which is what nohup does
        service.process.send_signal(signal.SIGHUP)
        assert post(service, "/stream/start", userId="1").status_code == 200


@contextmanager
def hangups(how: signal.Handlers) -> Iterator[None]:
    """Treat the end of the terminal like this, as a new process inherits it, perhaps from `nohup`."""
    before = signal.signal(signal.SIGHUP, how)
    try:
        yield
    finally:
        signal.signal(signal.SIGHUP, before)


def test_a_port_in_use_is_reported_in_one_sentence() -> None:
    """A port in use is an error of one sentence, and nothing is started."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        with pytest.raises(AssertionError, match=f"port {port} cannot be used"), LocalService({"PORT": port}):
            pass


def test_a_wrong_setting_is_reported_by_its_name() -> None:
    """A wrong setting is reported by its name before the first request."""
    with (
        pytest.raises(AssertionError, match="make run: MAX_STREAMS must be at most 20\\."),
        LocalService({"MAX_STREAMS": "21"}),
    ):
        pass


@pytest.mark.parametrize(("auth", "times"), [("jwt", 1), ("iam", 1), ("none", 0), ("", 0)])
def test_make_run_reports_that_auth_has_no_effect(auth: str, times: int) -> None:
    """`make run` prints that `AUTH` has no effect, and takes the user from the request."""
    sentence = "AUTH has no effect: make run has no authentication, unlike make up AUTH=jwt or iam."
    with LocalService({"AUTH": auth}) as service:
        assert service.lines.count(sentence) == times
        assert post(service, "/stream/start", userId="1").status_code == 200


def test_a_wrong_origin_is_reported_by_its_setting() -> None:
    """A wrong origin is reported by its setting before anything is started."""
    with (
        pytest.raises(AssertionError, match="make run: CORS_ORIGINS: '\\*' is not an origin"),
        LocalService({"CORS_ORIGINS": "*"}),
    ):
        pass


def test_a_configured_store_is_used(dynamodb_local_url: str) -> None:
    """The SDK's own variable names the store; the table is made there, and outlives the service."""
    settings = {"AWS_ENDPOINT_URL_DYNAMODB": dynamodb_local_url}
    with LocalService(settings) as service:
        assert children(service.process.pid) == []
        assert post(service, "/stream/start", userId="kept").json()["streamCount"] == 1
    with LocalService(settings) as service:
        assert post(service, "/stream/start", userId="kept").json()["streamCount"] == 2


def test_a_crashed_players_slot_is_freed_with_its_lease() -> None:
    """With LEASE_SECONDS=2 a fourth stream is refused, and admitted after the lease and the grace."""
    with LocalService({"LEASE_SECONDS": "2"}) as service:
        for stream_id in ("a", "b", "c"):
            started = post(service, "/stream/start", userId="1", streamId=stream_id)
            assert started.status_code == 200
        refused = post(service, "/stream/start", userId="1", streamId="d")
        assert refused.status_code == 403
        assert [stream["streamId"] for stream in refused.json()["streams"]] == ["a", "b", "c"]
        time.sleep(2 + 2 + 2)  # the lease, the grace, and both roundings
        admitted = post(service, "/stream/start", userId="1", streamId="d")
        assert (admitted.status_code, admitted.json()["streamCount"]) == (200, 1)
        assert post(service, "/stream/heartbeat", userId="1", streamId="a").status_code == 410


def test_a_token_replaces_the_login_at_the_heartbeat_url(service: LocalService) -> None:
    """Each answer with a token names the URL, which pages of other origins may call too."""
    started = post(service, "/stream/start", userId="renewing", streamId="tv").json()
    url = started["heartbeatUrl"]
    assert url == f"http://localhost:{service.port}/heartbeat-url"
    body = {"userId": "renewing", "streamId": "tv", "playbackToken": started["playbackToken"]}

    page = {"origin": "http://localhost:5173"}
    renewed = httpx.post(url, json=body, headers=page)
    assert renewed.status_code == 200
    assert renewed.json()["playbackToken"] != ""
    assert renewed.headers["access-control-allow-origin"] == page["origin"]
    refused = httpx.post(url, json=body | {"userId": "another"})
    assert (refused.status_code, refused.json()["code"]) == (401, "unauthenticated")
    assert httpx.get(url).status_code == 400
    events = [json.loads(line) for line in service.lines if '"via"' in line]
    assert [event["status"] for event in events] == [200, 401, 400]


@pytest.mark.parametrize(
    "settings", [{"HEARTBEAT_URL": ""}, {"PLAYBACK_KEY": "off"}, {"PLAYBACK_COOKIE_DOMAIN": "tv.example"}]
)
def test_without_a_heartbeat_url_answers_name_none(settings: dict[str, str]) -> None:
    """An empty variable turns the URL off, as do settings with which it could not work."""
    with LocalService(settings=settings) as service:
        assert "heartbeatUrl" not in post(service, "/stream/start", userId="1", streamId="tv").json()
