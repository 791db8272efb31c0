"""Attacks on playback tokens: scripts that collect them, forgeries, and spellings of other paths."""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Final

import httpx
from cbor2 import CBORTag, dumps, loads

from adapters.playback_keys import PlaybackKey
from dev.emulators.edge import Edge, Passed
from tests.e2e.support.target import World
from tests.edge.tokens import FOREIGN_KEY, KEY, base64url, key_text, signed, structure

PLAYBACK_KEY: Final = f"{KEY.kid}:{key_text(KEY)}"
CONFIG: Final = {"mode": "enforce", "keys": {KEY.kid: key_text(KEY)}}
VIDEO: Final = "/films/7/segment-1.ts"
OVERLAP: Final = 2
"""Terraform's default of `token_overlap`."""

ROUNDS: Final = 8
"""More names than limit and overlap allow."""


def claims_of(token: str) -> dict[int, Any]:
    """Return the claims of a token, unverified."""
    claims: dict[int, Any] = loads(structure(token).value.value[2])
    return claims


@dataclass
class Script:
    """A player that keeps each token that it is given, and obeys no refusal.

    Attributes:
        world: the service that it calls.
        user: the user whose login it has, or for whom a backend signs.
        limit: of that user.
        tokens: all tokens that it was given.
        refusals: the code of each refused start, oldest first.
    """

    world: World
    user: str
    limit: int
    tokens: list[str] = field(default_factory=list)
    refusals: list[str] = field(default_factory=list)

    def call(self, route: str, **fields: object) -> httpx.Response:
        """Send one request, and keep the token of its answer."""
        limit = self.limit if route == "start" else None
        answer = self.world.send_for(self.user, limit, f"/stream/{route}", **fields)
        if "playbackToken" in answer.json():
            self.tokens.append(answer.json()["playbackToken"])
        return answer

    def start(self, stream_id: str, **fields: object) -> bool:
        """Start a stream, and return whether that was admitted."""
        answer = self.call("start", streamId=stream_id, **fields)
        if answer.status_code == 200:
            return True
        self.refusals.append(answer.json()["code"])
        if answer.status_code == 429:
            assert answer.json()["retryAfterSeconds"] == int(answer.headers["retry-after"]) > 0
        return False

    def plays(self, edge: Edge) -> set[str]:
        """Return the streams whose video the edge serves now."""
        good = (t for t in self.tokens if isinstance(edge.handle("GET", VIDEO, {"CAT": t}), Passed))
        return {claims_of(token)[7].decode() for token in good}


def start_and_end(script: Script) -> None:
    """Start under fresh names, end each at once, and try to keep it alive after that."""
    for number in range(ROUNDS):
        script.start(f"tv-{number}")
        script.call("end", streamId=f"tv-{number}")
        script.call("heartbeat", streamId=f"tv-{number}")


def replace_each_other(script: Script) -> None:
    """Pass one slot from fresh name to fresh name."""
    held = "tv"
    script.start(held)
    for number in range(ROUNDS):
        if script.start(f"tv-{number}", replaces=held):
            held = f"tv-{number}"
    assert script.call("heartbeat", streamId=held).status_code == 200, "a refused start has cost the slot"


def start_and_end_at_once(script: Script) -> None:
    """Start and end from many places at the same time."""
    names = [f"phone-{number}" for number in range(ROUNDS)]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda name: (script.start(name), script.call("end", streamId=name)), names))
    start_and_end(script)


def rotate_known_names(script: Script) -> None:
    """Start and end the names that count already, and try a fresh one each time."""
    start_and_end(script)
    known = sorted({claims_of(token)[7].decode() for token in script.tokens})
    for number, name in enumerate(known):
        assert script.start(name)
        script.call("end", streamId=name)
        script.start(f"fresh-{number}")


def new_page_each_time(script: Script) -> None:
    """Claim another page load with each start and each end."""
    for number in range(ROUNDS):
        script.start(f"tv-{number}", play=f"page-{number}")
        script.call("end", streamId=f"tv-{number}", play="another")
        script.call("end", streamId=f"tv-{number}")


def evict_each_other(script: Script) -> None:
    """Start under fresh names without an end, where the newest screen wins."""
    for number in range(ROUNDS):
        script.start(f"tv-{number}")
        script.call("heartbeat", streamId="tv-0")


CIRCLES: Final[Sequence[tuple[str, Callable[[Script], None]]]] = (
    ("jwt", start_and_end),
    ("jwt", replace_each_other),
    ("jwt", start_and_end_at_once),
    ("jwt", rotate_known_names),
    ("jwt", new_page_each_time),
    ("iam", evict_each_other),
)


@dataclass(frozen=True)
class Forgery:
    """A request with a changed token, or with none, and why the edge refuses it."""

    name: str
    request: Callable[[World, str], dict[str, Any]]
    """The arguments of `Edge.handle` beside method and path."""
    reason: str = "invalid"


def made_into(name: str, change: Callable[[str], str]) -> Forgery:
    """Return a changed token."""
    return Forgery(name, lambda _, token: {"query": {"CAT": change(token)}})


def beneath_the_signature(token: str, **parts: Any) -> str:
    """Return the token with another part in its place; the signature stays."""
    protected, unprotected, payload, tag = structure(token).value.value
    message = [
        dumps(parts["protected"]) if "protected" in parts else protected,
        unprotected,
        dumps(loads(payload) | parts.get("claims", {})),
        tag,
    ]
    return base64url(dumps(CBORTag(61, CBORTag(17, message))))


FORGERIES: Final = (
    Forgery("no token", lambda *_: {}, "missing"),
    Forgery("a token in another parameter", lambda _, token: {"query": {"token": token}}, "missing"),
    Forgery("a token in the header of a login", lambda _, t: {"headers": {"authorization": t}}, "missing"),
    Forgery(
        "a login instead of a token", lambda world, _: {"query": {"CAT": world.issuer.token("viewer-1")}}
    ),
    Forgery("many bad tokens before it", lambda _, token: {"query": {"CAT": [token[:-1]] * 6 + [token]}}),
    made_into("its claims under another key of that name", lambda t: signed(claims_of(t), FOREIGN_KEY)),
    made_into("its claims under an empty key", lambda t: signed(claims_of(t), PlaybackKey(KEY.kid, b""))),
    made_into("another service's claims under its key", lambda t: signed(claims_of(t) | {1: "another"})),
    made_into("a later expiry", lambda t: beneath_the_signature(t, claims={4: int(time.time()) + 86400})),
    made_into("another stream", lambda t: beneath_the_signature(t, claims={7: b"pc"})),
    made_into("another user", lambda t: beneath_the_signature(t, claims={2: "A" * 22})),
    made_into("other paths", lambda t: beneath_the_signature(t, claims={312: {3: {1: "/"}}})),
    made_into("no algorithm", lambda t: beneath_the_signature(t, protected={})),
    made_into("another algorithm", lambda t: beneath_the_signature(t, protected={1: 4})),
    made_into("a shorter signature", lambda t: t[:-12]),
    made_into("a changed signature", lambda t: t[:-3] + ("A" if t[-3] != "A" else "B") + t[-2:]),
)

ESCAPES: Final = (
    "/series/7/1.ts",
    "/films-uhd/1.ts",
    "/FILMS/1.ts",
    "/films/../series/1.ts",
    "/films/%2e%2e/series/1.ts",
    "/films/..%2fseries/1.ts",
    "/films/..%5cseries/1.ts",
    "/films/%252e%252e/series/1.ts",
    "/films/..;/series/1.ts",
    "//films/1.ts",
    "/films/%c0%ae%c0%ae/series/1.ts",
    "/films/%00/1.ts",
)
"""Paths that a token for `/films/` must not open; tests/edge has each encoding."""
