"""The video of `make run`, behind the edge's own function, for players with and without a playback token."""

import base64
import time
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Final

import httpx
import pytest

from adapters.playback_token import TokenMint
from dev.local.local_service import LocalService
from tests.edge.tokens import FOREIGN_KEY, KEY, OLD_KEY, TOKEN_HEADER, key_text

pytestmark = pytest.mark.e2e

PLAYLIST: Final = "/cdn/demo/index.m3u8"
SEGMENT: Final = "/cdn/demo/00.mp4"
UHD_PLAYLIST: Final = "/cdn/uhd/demo/index.m3u8"
LEASE_SECONDS: Final = 3
SETTINGS: Final = {"LEASE_SECONDS": str(LEASE_SECONDS), "GRACE_SECONDS": "0"}
ORIGIN: Final = "http://tv.example"


@pytest.fixture(scope="module")
def service() -> Iterator[LocalService]:
    """Return the service with short leases and a key of its own."""
    with LocalService(SETTINGS) as service:
        yield service


@pytest.fixture(scope="module")
def lasting() -> Iterator[LocalService]:
    """Return the service with leases that no test outlasts, and a key of its own."""
    with LocalService() as service:
        yield service


def start(
    service: LocalService, user_id: str, stream_id: str = "tv", groups: Sequence[str] = ()
) -> httpx.Response:
    """Start a named stream."""
    body = {"userId": user_id, "streamId": stream_id, **({"groups": groups} if groups else {})}
    return httpx.post(f"{service.url}/stream/start", json=body)


def token(service: LocalService, user_id: str, stream_id: str = "tv", groups: Sequence[str] = ()) -> str:
    """Return the playback token of a stream that was admitted."""
    return str(start(service, user_id, stream_id, groups).json()["playbackToken"])


def get(service: LocalService, path: str, playback_token: str | None = None) -> httpx.Response:
    """Request video, with a token in the header."""
    headers = {} if playback_token is None else {TOKEN_HEADER: playback_token}
    return httpx.get(f"{service.url}{path}", headers=headers)


def outcome(answer: httpx.Response) -> tuple[int, str | None]:
    """Return the status, and the reason of a refusal."""
    return answer.status_code, answer.headers.get("x-playback")


def wait_for_expiry(hold: httpx.Response) -> None:
    """Wait until the lease in this answer has expired."""
    expiry = datetime.fromisoformat(hold.json()["expiresAt"]).timestamp()
    time.sleep(max(0, expiry - time.time()))


def test_without_a_token_no_video_is_served(service: LocalService) -> None:
    """Without a token neither the playlist nor its files are served, as the service prints at its start."""
    assert any(f"{PLAYLIST} needs a playback token" in line for line in service.lines)
    for path in (PLAYLIST, SEGMENT, "/cdn/demo/init.mp4", "/cdn/demo/none.mp4", "/cdn/"):
        assert outcome(get(service, path)) == (403, "missing")
        assert outcome(get(service, path, "forged")) == (403, "invalid")


def test_with_a_token_the_whole_stream_is_served(lasting: LocalService, user_id: str) -> None:
    """Each file of the playlist is there, and more than 20 seconds of film."""
    playback_token = token(lasting, user_id)
    playlist = get(lasting, PLAYLIST, playback_token)
    assert outcome(playlist) == (200, None)
    assert playlist.headers["content-type"].startswith("application/vnd.apple.mpegurl")
    lines = playlist.text.splitlines()
    assert sum(float(line[8:-1]) for line in lines if line.startswith("#EXTINF:")) > 20
    files = ["init.mp4", *(line for line in lines if not line.startswith("#"))]
    answers = [get(lasting, f"/cdn/demo/{name}", playback_token) for name in files]
    assert {outcome(answer) for answer in answers} == {(200, None)}
    assert {answer.headers["content-type"] for answer in answers} == {"video/mp4"}
    assert sum(len(answer.content) for answer in answers) < 300_000


def test_a_token_opens_from_the_query_a_header_or_a_cookie(lasting: LocalService, user_id: str) -> None:
    """A token opens in each of its three places: native HLS sends only the cookie, other players choose."""
    playback_token = token(lasting, user_id)
    for query, headers in (
        (f"?v=1&CAT={playback_token}", {}),
        ("", {TOKEN_HEADER: playback_token}),
        ("", {"cookie": f"theme=dark; CAT={playback_token}"}),
    ):
        assert outcome(httpx.get(f"{lasting.url}{SEGMENT}{query}", headers=headers)) == (200, None)


def test_after_the_lease_no_video_is_served(service: LocalService, user_id: str) -> None:
    """Heartbeats bring new tokens, and the last one expires with the lease."""
    started = start(service, user_id)
    first = started.json()["playbackToken"]
    assert outcome(get(service, SEGMENT, first)) == (200, None)
    time.sleep(LEASE_SECONDS / 2)
    beat = httpx.post(f"{service.url}/stream/heartbeat", json={"userId": user_id, "streamId": "tv"})
    second = beat.json()["playbackToken"]
    wait_for_expiry(started)
    assert outcome(get(service, SEGMENT, first)) == (403, "expired")
    assert outcome(get(service, SEGMENT, second)) == (200, None)
    wait_for_expiry(beat)
    assert outcome(get(service, SEGMENT, second)) == (403, "expired")


def test_a_refused_start_gets_no_video(lasting: LocalService, user_id: str) -> None:
    """Three streams of a user have a token each, and the fourth has none."""
    admitted = [start(lasting, user_id, f"screen-{number}") for number in range(3)]
    tokens = {answer.json()["playbackToken"] for answer in admitted}
    assert [outcome(get(lasting, SEGMENT, each)) for each in tokens] == [(200, None)] * 3
    refused = start(lasting, user_id, "screen-4")
    assert refused.status_code == 403
    assert "playbackToken" not in refused.json()


def test_each_run_has_its_own_key(service: LocalService, lasting: LocalService, user_id: str) -> None:
    """A token of one run opens nothing of another."""
    assert outcome(get(service, SEGMENT, token(lasting, user_id))) == (403, "invalid")


def test_a_given_key_and_an_old_one_open(user_id: str) -> None:
    """The first key signs, and the edge knows all of them; neither a key nor a token is printed."""
    keys = ",".join(f"{key.kid}:{key_text(key)}" for key in (KEY, OLD_KEY))
    now = int(time.time())
    with LocalService({"PLAYBACK_KEY": keys}) as service:
        issued = token(service, user_id)
        assert KEY.kid.encode() in base64.urlsafe_b64decode(f"{issued}==")
        rotated = TokenMint(OLD_KEY).mint(user_id, "tv", now + 60, now)
        foreign = TokenMint(FOREIGN_KEY).mint(user_id, "tv", now + 60, now)
        assert outcome(get(service, SEGMENT, issued)) == (200, None)
        assert outcome(get(service, SEGMENT, rotated)) == (200, None)
        assert outcome(get(service, SEGMENT, foreign)) == (403, "invalid")
        httpx.get(f"{service.url}{SEGMENT}", params={"CAT": foreign})
    secret = (key_text(KEY), key_text(OLD_KEY), issued, rotated, foreign)
    assert not [line for line in service.lines if any(each in line for each in secret)]


def test_the_better_quality_requires_its_group(lasting: LocalService, user_id: str) -> None:
    """A stream that omits its group evades the group's limit, but gets none of its video."""
    assert any(f"at {UHD_PLAYLIST}, it needs a stream in the group uhd" in line for line in lasting.lines)
    in_uhd, in_hd = token(lasting, user_id, "tv", ["uhd"]), token(lasting, user_id, "pc")
    refused = start(lasting, user_id, "phone", ["uhd"])
    assert (refused.status_code, refused.json()["limit"]) == (403, {"group": "uhd", "max": 1})
    assert "playbackToken" not in refused.json()
    for path in (UHD_PLAYLIST, "/cdn/uhd/demo/00.mp4", "/cdn/%75hd/demo/00.mp4"):
        assert outcome(get(lasting, path, in_uhd)) == (200, None)
        assert outcome(get(lasting, path, in_hd)) == (403, "path")
        assert outcome(get(lasting, path)) == (403, "missing")
    for playback_token in (in_uhd, in_hd):
        assert outcome(get(lasting, PLAYLIST, playback_token)) == (200, None)


def test_a_heartbeats_token_has_the_streams_groups(lasting: LocalService, user_id: str) -> None:
    """A heartbeat's token has the lease's groups, which the heartbeat does not name."""
    start(lasting, user_id, "tv", ["uhd"])
    beat = httpx.post(f"{lasting.url}/stream/heartbeat", json={"userId": user_id, "streamId": "tv"})
    assert outcome(get(lasting, UHD_PLAYLIST, beat.json()["playbackToken"])) == (200, None)


def test_both_qualities_are_complete_and_differ(lasting: LocalService, user_id: str) -> None:
    """Both qualities have the same film and the same files, with another picture."""
    playback_token = token(lasting, user_id, "tv", ["uhd"])
    plain, better = (get(lasting, path, playback_token) for path in (PLAYLIST, UHD_PLAYLIST))
    assert better.text == plain.text
    files = ["init.mp4", *(line for line in plain.text.splitlines() if not line.startswith("#"))]
    for name in files:
        plain, better = (get(lasting, f"/cdn/{of}demo/{name}", playback_token) for of in ("", "uhd/"))
        assert [outcome(answer) for answer in (plain, better)] == [(200, None)] * 2
        assert plain.content != better.content


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"GROUP_LIMITS": ""}, (200, None)),
        ({"GROUP_PATHS": ""}, (200, None)),
        ({"GROUP_LIMITS": "away=1"}, (200, None)),
        ({"GROUP_LABELS": "uhd"}, (403, "path")),
        ({"GROUP_LIMITS": "uhd=2", "GROUP_PATHS": "/cdn/4k/=uhd"}, (200, None)),
    ],
    ids=repr,
)
def test_configured_groups_replace_the_default_ones(
    settings: dict[str, str], expected: tuple[int, str | None], user_id: str
) -> None:
    """Without a path of its group the better quality is open to every token; an empty variable means none."""
    with LocalService(settings) as service:
        assert outcome(get(service, UHD_PLAYLIST, token(service, user_id))) == expected


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"PLAYBACK_KEY": "off"}, "with PLAYBACK_KEY=off"),
        ({"LEASE_SECONDS": "301"}, "with LEASE_SECONDS above 300"),
    ],
)
def test_without_a_key_the_video_is_open(settings: dict[str, str], reason: str, user_id: str) -> None:
    """If tokens are off, or leases too long for them, the video is open, and one line says why."""
    with LocalService(settings) as service:
        assert "playbackToken" not in start(service, user_id).json()
        assert outcome(get(service, SEGMENT)) == (200, None)
        notes = [line for line in service.lines if "is open to everyone" in line]
        assert len(notes) == 1
        assert notes[0].endswith(f"there are no playback tokens {reason}.")


def test_a_given_key_with_leases_too_long_for_it_is_an_error() -> None:
    """A key together with leases too long for tokens is an error: the settings contradict each other."""
    settings = {"PLAYBACK_KEY": f"{KEY.kid}:{key_text(KEY)}", "LEASE_SECONDS": "301"}
    with pytest.raises(AssertionError, match="LEASE_SECONDS must be at most 300"), LocalService(settings):
        pass


def test_a_page_of_another_origin_may_play(lasting: LocalService, user_id: str) -> None:
    """The preflight for the header needs no token, and answers and refusals may both be read."""
    preflight = httpx.options(
        f"{lasting.url}{SEGMENT}",
        headers={
            "origin": ORIGIN,
            "access-control-request-method": "GET",
            "access-control-request-headers": TOKEN_HEADER,
        },
    )
    assert preflight.status_code == 200
    assert TOKEN_HEADER in preflight.headers["access-control-allow-headers"]
    tokens = {TOKEN_HEADER: token(lasting, user_id)}
    given = httpx.get(f"{lasting.url}{SEGMENT}", headers={"origin": ORIGIN, **tokens})
    refused = httpx.get(f"{lasting.url}{SEGMENT}", headers={"origin": ORIGIN})
    assert [given.status_code, refused.status_code] == [200, 403]
    for answer in (preflight, given, refused):
        assert answer.headers["access-control-allow-origin"] == ORIGIN
        assert answer.headers["access-control-allow-credentials"] == "true"
    assert refused.headers["access-control-expose-headers"] == "x-playback"


def test_no_browser_plays_from_its_cache(lasting: LocalService, user_id: str) -> None:
    """A browser asks the edge each time, and does not keep a refusal at all."""
    kept = get(lasting, SEGMENT, token(lasting, user_id))
    assert kept.headers["cache-control"] == "no-cache"
    again = {"if-none-match": kept.headers["etag"]}
    assert httpx.get(f"{lasting.url}{SEGMENT}", headers=again).status_code == 403
    assert get(lasting, SEGMENT).headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    "path",
    ["/cdn/demo/%2e%2e/demo/00.mp4", "/cdn/demo%2F00.mp4", "/cdn//demo/00.mp4", "/cdn/..%5cdemo/00.mp4"],
)
def test_the_edge_sees_the_undecoded_path(lasting: LocalService, user_id: str, path: str) -> None:
    """The edge sees the encoding as it was sent, not as the server has already read it."""
    # httpx would normalise the path.
    url = httpx.URL(lasting.url).copy_with(raw_path=path.encode())
    answer = httpx.get(url, headers={TOKEN_HEADER: token(lasting, user_id)})
    assert outcome(answer) == (403, "path")


def test_no_other_path_of_make_run_serves_the_video(lasting: LocalService) -> None:
    """The page's own files are served without a token, and none of them is the video."""
    for path in ("/page/demo/00.mp4", "/page/../video/demo/00.mp4", "/page/%2e%2e/video/demo/00.mp4"):
        url = httpx.URL(lasting.url).copy_with(raw_path=path.encode())
        assert httpx.get(url).status_code == 404


def test_a_start_sets_the_token_as_a_cookie_for_a_shared_domain(user_id: str) -> None:
    """A cookie with the token lets a plain video element send it."""
    with LocalService({"PLAYBACK_COOKIE_DOMAIN": "tv.example"}) as service:
        answer = start(service, user_id)
        cookie = answer.headers["set-cookie"]
        assert cookie.startswith(f"CAT={answer.json()['playbackToken']}; Domain=tv.example;")
        opened = httpx.get(f"{service.url}{SEGMENT}", headers={"cookie": cookie.partition(";")[0]})
        assert outcome(opened) == (200, None)
