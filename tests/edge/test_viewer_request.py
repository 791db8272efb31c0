"""Decisions of the edge's function, run unchanged beside a stand-in for CloudFront."""

import json
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote

import pytest

from adapters.playback_keys import PlaybackKey
from adapters.playback_token import TokenMint
from dev.emulators.edge import Edge, Passed, Refused
from tests.edge.tokens import FOREIGN_KEY, KEY, LEASE, OLD_KEY, TOKEN_HEADER, base64url, key_text, signed

NOW: Final = 1_800_000_000
MINT: Final = TokenMint(KEY)
GOOD: Final = MINT.mint("viewer-1", "tv-1", NOW + LEASE, NOW)
EXPIRED: Final = MINT.mint("viewer-1", "tv-1", NOW, NOW - LEASE)
FOREIGN: Final = TokenMint(FOREIGN_KEY).mint("viewer-1", "tv-1", NOW + LEASE, NOW)
CLAIMS: Final = {1: "stream-limiter", 4: NOW + LEASE}


def config(mode: str = "enforce", *keys: PlaybackKey, **more: Any) -> dict[str, Any]:
    """Return the KeyValueStore's value."""
    return {"mode": mode, "keys": {key.kid: key_text(key) for key in keys or (KEY,)}, **more}


@pytest.fixture(scope="module")
def engine() -> Edge:
    """Return the function, loaded once."""
    return Edge(None, clock=lambda: NOW)


@pytest.fixture
def edge(engine: Edge) -> Edge:
    """Return the function under a configuration that enforces."""
    engine.config = config()
    engine.log.clear()
    return engine


def reason(outcome: Passed | Refused) -> str:
    """Return why a request was refused; one that passes has the reason `passed`."""
    return outcome.headers["x-playback"] if isinstance(outcome, Refused) else "passed"


@pytest.mark.parametrize(
    ("query", "headers", "cookies"),
    [
        ({"CAT": GOOD}, {}, {}),
        ({}, {TOKEN_HEADER: GOOD}, {}),
        ({}, {}, {"CAT": GOOD}),
        ({"CAT": EXPIRED}, {TOKEN_HEADER: FOREIGN}, {"CAT": GOOD}),
        ({"CAT": [FOREIGN, "", GOOD]}, {}, {}),
        ({}, {}, {"CAT": [EXPIRED, GOOD]}),
    ],
)
def test_a_good_token_is_accepted_in_every_place(edge: Edge, query: Any, headers: Any, cookies: Any) -> None:
    """A good token opens in the query, the header or a cookie, also beside stale ones from the player."""
    assert reason(edge.handle("GET", "/a.ts", query, headers, cookies)) == "passed"
    assert edge.log == []


@pytest.mark.parametrize(
    ("tokens", "expected"),
    [
        ([], "missing"),
        (["what"], "invalid"),
        ([FOREIGN], "invalid"),
        ([EXPIRED], "expired"),
        ([EXPIRED, FOREIGN], "expired"),
        ([FOREIGN, EXPIRED], "expired"),
        ([signed({**CLAIMS, 311: ["192.0.2.1"]})], "address"),
        ([signed({**CLAIMS, 312: {3: {1: "/b/"}}})], "path"),
        ([""], "invalid"),
        (["A" * 1367], "invalid"),
        (["%00"], "invalid"),
    ],
)
def test_a_refusal_has_the_reason(edge: Edge, tokens: list[str], expected: str) -> None:
    """The token that got furthest gives the reason, so that a player knows whether a fresh one would help."""
    assert reason(edge.handle("GET", "/a.ts", {"CAT": tokens} if tokens else {})) == expected
    assert edge.log == [f"playback={expected} mode=enforce"]


def test_a_token_is_refused_from_its_expiry(edge: Edge) -> None:
    """A token is refused from its expiry on, without a second of leeway."""
    for exp, expected in ((NOW + 1, "passed"), (NOW, "expired"), (NOW + 0.001, "passed")):
        assert reason(edge.handle("GET", "/a.ts", {"CAT": signed({**CLAIMS, 4: exp})})) == expected


def test_a_refusal_is_not_cached_and_is_readable_by_a_page(edge: Edge) -> None:
    """A refusal is not cached, so the next token works, and exposes what hls.js reads."""
    refused = edge.handle("GET", "/a.ts")
    assert isinstance(refused, Refused)
    assert refused.status == 403
    assert refused.headers == {
        "cache-control": "no-store",
        "x-playback": "missing",
        "access-control-allow-origin": "*",
        "access-control-expose-headers": "x-playback",
    }
    from_a_page = edge.handle("GET", "/a.ts", headers={"origin": "https://tv.example"})
    assert isinstance(from_a_page, Refused)
    assert from_a_page.headers == refused.headers | {
        "access-control-allow-origin": "https://tv.example",
        "access-control-allow-credentials": "true",
        "vary": "origin",
    }


@pytest.mark.parametrize("mode", ["off", "log", "enforce"])
@pytest.mark.parametrize("token", [GOOD, EXPIRED])
@pytest.mark.parametrize("method", ["GET", "OPTIONS"])
def test_tokens_never_reach_cache_or_origin(edge: Edge, mode: str, token: str, method: str) -> None:
    """In every mode tokens are removed and all else is kept, or each token would be a cache entry."""
    edge.config = config(mode)
    passed = edge.handle(
        method,
        "/a%20b.ts",
        {"CAT": [token, GOOD], "cat": "meow", "v": ["1", "2"]},
        {TOKEN_HEADER: token, "host": "cdn.example", "range": "bytes=0-"},
        {"CAT": token, "theme": "dark"},
    )
    assert passed == Passed(
        "/a%20b.ts",
        {"cat": ["meow"], "v": ["1", "2"]},
        {"host": ["cdn.example"], "range": ["bytes=0-"]},
        {"theme": ["dark"]},
    )


def test_off_checks_nothing_and_log_refuses_nothing(edge: Edge) -> None:
    """`off` checks nothing, and `log` logs what `enforce` would refuse, for a roll-out."""
    edge.config = config("log")
    assert reason(edge.handle("GET", "/a.ts", {"CAT": EXPIRED})) == "passed"
    assert edge.log == ["playback=expired mode=log"]
    for off in (config("off"), {"mode": "off"}):
        edge.config = off
        assert reason(edge.handle("GET", "/a.ts", {"CAT": EXPIRED})) == "passed"
    assert edge.log == ["playback=expired mode=log"]


def test_a_preflight_passes(edge: Edge) -> None:
    """A preflight, which has no token, passes: the bucket's CORS rules answer it."""
    assert reason(edge.handle("OPTIONS", "/a.ts", headers={"origin": "https://tv.example"})) == "passed"
    assert reason(edge.handle("HEAD", "/a.ts")) == "missing"


SHORT: Final = base64url(KEY.secret[:31])


@pytest.mark.parametrize(
    "unreadable",
    [
        None,
        "",
        "{",
        "null",
        "[]",
        "{}",
        {"keys": {KEY.kid: key_text(KEY)}},
        {"mode": "enforced", "keys": {KEY.kid: key_text(KEY)}},
        {"mode": "enforce"},
        {"mode": "log"},
        {"mode": "enforce", "keys": {KEY.kid: key_text(KEY), "short": SHORT}},
        {"mode": "log", "keys": {"empty": ""}},
        {"mode": "enforce", "keys": {"number": 1}},
        {"mode": "enforce", "keys": {KEY.kid: key_text(KEY)}, "paths": {"/uhd": "uhd"}},
        {"mode": "enforce", "keys": {KEY.kid: key_text(KEY)}, "paths": {"uhd/": "uhd"}},
        {"mode": "enforce", "keys": {KEY.kid: key_text(KEY)}, "paths": ["/uhd/"]},
        {"mode": "enforce", "keys": {KEY.kid: key_text(KEY)}, "paths": "/uhd/"},
        {"mode": "enforce", "keys": {KEY.kid: key_text(KEY)}, "paths": None},
    ],
    ids=repr,
)
def test_an_unreadable_configuration_refuses_everything(
    edge: Edge, unreadable: Mapping[str, Any] | str | None
) -> None:
    """With an unreadable configuration only a preflight passes, and the log quotes nothing of it."""
    edge.config = unreadable
    assert reason(edge.handle("GET", "/a.ts", {"CAT": GOOD})) == "invalid"
    assert edge.log == ["playback config is unreadable", "playback=invalid mode=enforce"]
    assert reason(edge.handle("OPTIONS", "/a.ts")) == "passed"


def test_a_rotation_refuses_no_good_token(edge: Edge) -> None:
    """Tokens of either key open while both are known, and those of a forgotten one do not."""
    old = TokenMint(OLD_KEY).mint("viewer-1", "tv-1", NOW + LEASE, NOW)
    for known, expected in (((OLD_KEY,), "passed"), ((OLD_KEY, KEY), "passed"), ((KEY,), "invalid")):
        edge.config = config("enforce", *known)
        assert reason(edge.handle("GET", "/a.ts", {"CAT": old})) == expected


FILMS: Final = MINT.mint("viewer-1", "tv-1", NOW + LEASE, NOW, "/films/")
AMBIGUOUS: Final = [
    "/films/../series/1.ts",
    "/films/%2e%2e/series/1.ts",
    "/films/.%2E/series/1.ts",
    "/films/./1.ts",
    "/films/..",
    "/films/.",
    "/films/..;/series/1.ts",
    "/films/..;a=b/series/1.ts",
    "/films/..%2fseries/1.ts",
    "/films/%2F1.ts",
    "/films/7%2f1.ts",
    "/films/7%5C1.ts",
    "/films/..%5cseries/1.ts",
    "/films/..\\series/1.ts",
    "/films/%252e%252e/series/1.ts",
    "/films/%252fseries/1.ts",
    "/films//1.ts",
    "//films/1.ts",
    "/films/%",
    "/films/%zz",
    "/films/%ff.ts",
    "/films/%c0%ae%c0%ae/1.ts",
    "/films/%00.ts",
    "/films/%0a.ts",
]


@pytest.mark.parametrize("path", AMBIGUOUS)
def test_an_ambiguous_path_is_refused(edge: Edge, path: str) -> None:
    """An ambiguous path is refused whatever the token opens, so the compared path is the served one."""
    for token in (FILMS, GOOD):
        assert reason(edge.handle("GET", path, {"CAT": token})) == "path"


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/films/1.ts", "passed"),
        ("/films/", "passed"),
        ("/f%69lms/1.ts", "passed"),
        (quote("/films/Crème brûlée/…/1 (2).ts"), "passed"),
        ("/films/..a/...b/.well-known/1..ts", "passed"),
        ("/films/100%25.ts", "passed"),
        ("/films", "path"),
        ("/Films/1.ts", "path"),
        ("/filmsx/1.ts", "path"),
        ("/series/films/1.ts", "path"),
        ("/", "path"),
    ],
)
def test_a_path_is_compared_decoded_and_by_segments(edge: Edge, path: str, expected: str) -> None:
    """A path is compared decoded, from its beginning, and by whole segments."""
    assert reason(edge.handle("GET", path, {"CAT": FILMS})) == expected
    assert reason(edge.handle("GET", path, {"CAT": GOOD})) == "passed"


@pytest.mark.parametrize(
    ("groups", "path", "expected"),
    [
        (["uhd"], "/uhd/1.ts", "passed"),
        (["away", "uhd"], "/uhd/1.ts", "passed"),
        (["away"], "/uhd/1.ts", "path"),
        ([], "/uhd/1.ts", "path"),
        (None, "/uhd/1.ts", "path"),
        ("uhd", "/uhd/1.ts", "path"),
        ({"uhd": "uhd"}, "/uhd/1.ts", "path"),
        (["away"], "/%75hd/1.ts", "path"),
        (["away"], "/hd/1.ts", "passed"),
        (None, "/hd/1.ts", "passed"),
    ],
)
def test_a_groups_path_requires_the_group_in_the_token(
    edge: Edge, groups: Any, path: str, expected: str
) -> None:
    """A token without a group opens nothing that requires the group."""
    edge.config = config(paths={"/uhd/": "uhd", "/far/": "away"})
    claims = CLAIMS if groups is None else {**CLAIMS, -65537: groups}
    assert reason(edge.handle("GET", path, {"CAT": signed(claims)})) == expected


def test_at_most_six_tokens_are_checked(edge: Edge) -> None:
    """A seventh token is not checked, because each costs an HMAC per key and a function's time is limited."""
    assert reason(edge.handle("GET", "/a.ts", {"CAT": [FOREIGN] * 5 + [GOOD]})) == "passed"
    assert reason(edge.handle("GET", "/a.ts", {"CAT": [FOREIGN] * 6 + [GOOD]})) == "invalid"


def test_the_log_contains_neither_tokens_nor_paths(edge: Edge) -> None:
    """The log has neither a token, which would open the video, nor a path, which shows what is watched."""
    for token in (EXPIRED, FOREIGN, GOOD):
        edge.handle("GET", f"/secret/{token}/../x", {"CAT": token}, {TOKEN_HEADER: token})
    assert edge.log == ["playback=path mode=enforce"] * 3


def test_the_largest_configuration_fits_the_store(edge: Edge) -> None:
    """A value of 1 KB holds three keys with the longest names and about 26 paths."""
    keys = [PlaybackKey(str(number) * 16, KEY.secret) for number in range(3)]
    full = config("enforce", *keys, paths={f"/path-{number:02}/": "uhd" for number in range(26)})
    assert len(json.dumps(full, separators=(",", ":"))) <= 1024
    edge.config = full
    assert (
        reason(edge.handle("GET", "/path-25/1.ts", {"CAT": signed({**CLAIMS, -65537: ["uhd"]})})) == "passed"
    )
