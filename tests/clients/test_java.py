"""The Java client's rules: its clock is moved by hand, and its answers are scripted."""

import re
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

import pytest

from tests.clients.behaviour import Player
from tests.clients.installed import HERE, java_client, java_home, java_program
from tests.clients.scripted import Answer, Request, ScriptedService
from tests.support.commands import succeed

pytestmark = pytest.mark.long

HEARTBEAT_MS: Final = 30_000
LEASE_MS: Final = 90_000
HOLD: Final = {"expiresInSeconds": 90, "heartbeatSeconds": 30, "streamId": "mine"}
LONG: Final = HOLD | {"expiresInSeconds": 3600}
UNVERIFIED: Final = HOLD | {"verified": False}
GONE: Final = {"code": "stream_gone", "detail": "gone"}
FULL: Final = {"code": "limit_reached", "streams": [{"streamId": "other", "device": "phone"}]}
FULL_GROUP: Final = {
    "code": "limit_reached",
    "streams": [{"streamId": "mine", "device": "tv"}],
    "limit": {"group": "uhd", "max": 1},
}
POSTPONED: Final = {"code": "too_many_starts"}


def held(answer: dict[str, Any] = HOLD) -> Answer:
    """Return an answer that admits, or extends."""
    return Answer(200, answer)


def failing(status: int = 503, retry_after: str | None = None) -> Answer:
    """Return a transient failure."""
    return Answer(status, {}, {} if retry_after is None else {"retry-after": retry_after})


class World:
    """A player, the moment by its clock, and the service that it calls."""

    def __init__(self, player: Player, service: ScriptedService) -> None:
        self.player = player
        self.service = service
        self._events: list[dict[str, Any]] = []

    def wait_for(self, event: str) -> dict[str, Any]:
        """Wait for the event; earlier ones are kept."""
        while True:
            for seen in self._events:
                if seen["event"] == event:
                    self._events.remove(seen)
                    return seen
            self._events.append(self.player.next_event())

    def perform(self, event: str, action: str, **options: str | list[str]) -> dict[str, Any]:
        """Let the player do something, and wait for these events."""
        self.player.send(action, **options)
        return self.wait_for(event)

    def admitted(self, answer: dict[str, Any] = HOLD, **options: str | list[str]) -> Request:
        """Start a stream; return the request."""
        self.service.answers(held(answer))
        self.perform("admitted", "start", **options)
        return self.next_request("start")

    def advance_to(self, moment: int) -> None:
        """Let time pass to the next moment at which something is due, which must be this one."""
        assert self.perform("passed", "pass", to=str(moment))["to"] == moment

    def next_request(self, route: str) -> Request:
        """Wait for the next request, which must be of this route."""
        request = self.service.next_request()
        assert request.path == f"/stream/{route}"
        return request

    def heartbeat_at(self, moment: int, answer: Answer) -> Request:
        """Let time pass to the next heartbeat, due at this moment, and give it this answer."""
        self.service.answers(answer)
        self.advance_to(moment)
        return self.next_request("heartbeat")

    def state(self) -> tuple[str, str | None]:
        """Return the state and the playback token."""
        seen = self.perform("seen", "look")
        return seen["state"], seen["token"]

    def is_finished(self) -> bool:
        """Return whether a test has read every event and every request."""
        return not self._events and self.player.is_silent() and self.service.is_idle()


@pytest.fixture(scope="module")
def jar(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the client."""
    return java_client(tmp_path_factory.mktemp("client"))


@pytest.fixture(scope="module")
def program(jar: Path, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Return the command that starts a player."""
    return java_program(tmp_path_factory.mktemp("player"), jar, HERE / "Player.java", HERE / "HandClock.java")


@pytest.fixture
def worlds(program: list[str]) -> Iterator[Any]:
    """Make worlds, with a fixed random number and more properties."""
    with ScriptedService() as service, ExitStack() as players:

        def world(chance: float = 1.0, *properties: str) -> World:
            command = [*program, f"-Dchance={chance}", *properties, "Player", service.url, "1", "tv", "mine"]
            player = Player(command)
            players.callback(player.crash)
            return World(player, service)

        yield world


@pytest.fixture
def world(worlds: Any) -> World:
    """Return a world in which jitter makes each delay as long as possible."""
    made: World = worlds()
    return made


def test_a_lease_lapses_on_time_while_a_heartbeat_is_pending(world: World) -> None:
    """The lapsed stream then starts again automatically as the same play, and its token has expired."""
    first = world.admitted(HOLD | {"playbackToken": "t"})
    world.heartbeat_at(HEARTBEAT_MS, held().withheld())
    start = held().withheld()
    world.service.answers(start)
    world.advance_to(LEASE_MS)
    world.wait_for("lapsed")
    assert world.next_request("start").body == first.body
    assert world.state() == ("LAPSED", None)
    start.released.set()
    world.wait_for("resumed")
    assert world.state() == ("ADMITTED", None)
    world.heartbeat_at(LEASE_MS + HEARTBEAT_MS, held())
    assert world.is_finished()


def test_a_lapsed_stream_retries_its_start_without_a_time_limit(world: World) -> None:
    """A lapsed stream starts again long after a caller's start would have run out of patience."""
    world.admitted(HOLD | {"expiresInSeconds": 1, "heartbeatSeconds": 1})
    world.service.answers(failing())
    world.advance_to(1000)
    world.next_request("start")
    now = 1000
    for delay in [600, 1200, 2400, 4800, 9600, *[10_000] * 20]:
        now += delay
        world.advance_to(now)
        world.next_request("start")
    world.service.answers(held())
    world.advance_to(now + 10_000)
    world.next_request("start")
    world.wait_for("lapsed")
    world.wait_for("resumed")
    assert world.is_finished()


def test_a_lapse_does_not_cancel_a_pending_start(world: World) -> None:
    """A start may ask for other groups; if it fails, the stream starts again in its earlier ones."""
    first = world.admitted(UNVERIFIED, groups=["hd"], replaces="old")
    world.service.answers(failing())
    now, delay = HEARTBEAT_MS, 600
    while now + delay < LEASE_MS:
        world.advance_to(now)
        world.next_request("heartbeat")
        now, delay = now + delay, min(2 * delay, 10_000)
    start = failing(400).withheld()
    world.service.answers(start)
    world.player.send("start", groups=["uhd"])
    assert world.next_request("start").body["groups"] == ["uhd"]
    world.service.answers(failing())
    world.advance_to(now)
    world.next_request("heartbeat")
    world.advance_to(LEASE_MS)
    world.wait_for("lapsed")
    assert world.state() == ("LAPSED", None)
    assert world.is_finished()
    world.service.answers(held())
    start.released.set()
    assert world.wait_for("error")["status"] == 400
    assert world.next_request("start").body == first.body
    world.wait_for("resumed")
    assert world.is_finished()


def test_a_lease_of_zero_lasts_until_the_next_heartbeat(world: World) -> None:
    """A lease rounded down to zero does not make the stream lapse and start again without a pause."""
    world.admitted(HOLD | {"expiresInSeconds": 0})
    world.service.answers(held())
    world.advance_to(HEARTBEAT_MS)
    world.next_request("start")
    world.wait_for("lapsed")
    world.wait_for("resumed")
    assert world.is_finished()


def test_a_failed_start_leaves_a_lapsed_stream_lapsed(world: World) -> None:
    """The stream continues to start automatically, and a start that succeeds ends the lapse."""
    world.admitted(HOLD | {"expiresInSeconds": 30})
    waiting = held().withheld()
    world.service.answers(waiting, Answer(429, POSTPONED, {"retry-after": "60"}), held())
    world.advance_to(30_000)
    world.next_request("start")
    world.wait_for("lapsed")
    world.perform("postponed", "start")
    world.next_request("start")
    world.next_request("start")
    world.wait_for("resumed")
    assert world.state() == ("ADMITTED", None)
    waiting.released.set()
    world.heartbeat_at(60_000, held())
    assert world.is_finished()


@pytest.mark.parametrize(
    ("answer", "event", "state"),
    [
        (Answer(403, FULL), "refused", "REFUSED"),
        (Answer(403, {"code": "other_user"}), "gone", "GONE"),
    ],
    ids=["refused", "wrong"],
)
def test_a_lapsed_stream_that_is_refused_stops(world: World, answer: Answer, event: str, state: str) -> None:
    """A refused stream reports that, sends nothing more, and has nothing to end."""
    world.admitted(HOLD | {"expiresInSeconds": 1, "heartbeatSeconds": 1})
    world.service.answers(answer)
    world.advance_to(1000)
    world.next_request("start")
    world.wait_for("lapsed")
    world.wait_for(event)
    assert world.state() == (state, None)
    world.perform("ended", "end")
    assert world.is_finished()


def test_ending_a_lapsed_stream_sends_an_end_and_stops_its_starts(world: World) -> None:
    """An end is sent, because one of the starts may have taken the slot without an answer."""
    first = world.admitted(HOLD | {"expiresInSeconds": 1, "heartbeatSeconds": 1})
    world.service.answers(failing(), held())
    world.advance_to(1000)
    world.next_request("start")
    world.wait_for("lapsed")
    world.perform("ended", "end")
    assert world.next_request("end").body == {
        name: first.body[name] for name in ("userId", "streamId", "play")
    }
    assert world.state() == ("ENDED", None)
    assert world.is_finished()


def test_a_start_raises_when_its_time_limit_is_reached(worlds: Any) -> None:
    """The error comes after 15 seconds; the delays double, and jitter halves them at most."""
    for chance, moments in [(1.0, [600, 1800, 4200, 9000]), (0.0, [300, 900, 2100, 4500, 9300, 14_300])]:
        world = worlds(chance)
        world.service.answers(failing())
        world.player.send("start")
        world.next_request("start")
        for moment in moments:
            world.advance_to(moment)
            world.next_request("start")
        assert world.wait_for("error")["status"] == 503
        assert world.state() == ("IDLE", None)
        assert world.is_finished()


def test_a_failed_heartbeat_is_retried_with_growing_delays(world: World) -> None:
    """Delays grow up to ten seconds, and start again after an answer."""
    world.admitted(LONG)
    now = HEARTBEAT_MS
    for delay in [600, 1200, 2400, 4800, 9600, 10_000, 10_000]:
        world.heartbeat_at(now, failing())
        now += delay
    world.heartbeat_at(now, held(LONG))
    world.heartbeat_at(now + HEARTBEAT_MS, failing())
    world.heartbeat_at(now + HEARTBEAT_MS + 600, held(LONG))


def test_a_failed_heartbeat_is_retried_at_least_at_the_usual_interval(world: World) -> None:
    """A failed heartbeat is repeated at the usual interval where that is shorter than the delays."""
    world.admitted(LONG | {"heartbeatSeconds": 1})
    now = 1000
    for delay in [600, 1000, 1000]:
        world.heartbeat_at(now, failing())
        now += delay
    world.heartbeat_at(now, held(LONG))


def test_retry_after_is_honoured_within_bounds(world: World) -> None:
    """A proxy's `Retry-After` neither silences heartbeats for good nor fails as an odd number."""
    world.admitted(LONG)
    now = HEARTBEAT_MS
    for header, seconds in [("20", 20), ("9" * 400, 300), ("301", 300)]:
        world.heartbeat_at(now, failing(429, header))
        now += seconds * 1000
    world.heartbeat_at(now, held(LONG))
    now += HEARTBEAT_MS
    for header, delay in [("soon", 600), ("-5", 1200), ("1.5", 2400)]:
        world.heartbeat_at(now, failing(503, header))
        now += delay
    world.heartbeat_at(now, held(LONG))


def test_a_postponed_start_leaves_the_held_slot_unchanged(world: World) -> None:
    """A postponed start is repeated only if that is not too late for it."""
    world.admitted()
    world.service.answers(Answer(429, POSTPONED, {"retry-after": "60"}))
    assert world.perform("postponed", "start")["seconds"] == 60
    world.next_request("start")
    world.service.answers(Answer(429, POSTPONED, {"retry-after": "5"}), held())
    world.player.send("start")
    world.next_request("start")
    world.advance_to(5000)
    world.next_request("start")
    world.wait_for("admitted")
    world.heartbeat_at(5000 + HEARTBEAT_MS, held())
    assert world.is_finished()


def test_a_stream_evicted_within_its_lease_stops(world: World) -> None:
    """An evicted stream stops, because two players must not evict each other forever."""
    world.admitted()
    world.heartbeat_at(HEARTBEAT_MS, Answer(410, GONE))
    gone = world.wait_for("gone")
    assert (gone["reason"], gone["by"]) == (None, None)
    assert world.state() == ("GONE", None)
    assert world.is_finished()


@pytest.mark.parametrize(
    ("why", "reason", "by"),
    [
        ({"reason": "replaced", "by": "phone"}, "replaced", "phone"),
        ({"reason": "expired"}, "expired", None),
        ({"reason": 7, "by": ["phone"]}, None, None),
    ],
    ids=str,
)
def test_a_gone_stream_has_the_reason_and_the_device(
    world: World, why: dict[str, Any], reason: str | None, by: str | None
) -> None:
    """The reason is known as far as the service gives it, and one of another type is ignored."""
    world.admitted()
    world.heartbeat_at(HEARTBEAT_MS, Answer(410, GONE | why))
    gone = world.wait_for("gone")
    assert (gone["reason"], gone["by"]) == (reason, by)


def test_an_unverified_stream_restarts_after_a_410(world: World) -> None:
    """The stream and what it replaced may be unknown to the store; a verified answer makes the lease real."""
    first = world.admitted(UNVERIFIED, replaces="old")
    assert first.body["replaces"] == "old"
    world.heartbeat_at(HEARTBEAT_MS, held(UNVERIFIED))
    world.service.answers(Answer(410, GONE), held())
    world.advance_to(2 * HEARTBEAT_MS)
    world.next_request("heartbeat")
    assert world.next_request("start").body == first.body
    world.heartbeat_at(3 * HEARTBEAT_MS, Answer(410, GONE))
    world.wait_for("gone")
    assert world.is_finished()


def test_a_late_end_affects_only_its_own_play(world: World) -> None:
    """The next episode has the same play; a start after an end has a new nonce, and is sent first."""
    plays = [world.admitted().body["play"], world.admitted().body["play"]]
    end = Answer(200, {}).withheld()
    world.service.answers(end, held())
    world.player.send("end")
    plays.append(world.next_request("end").body["play"])
    world.perform("admitted", "start")
    last = world.next_request("start").body["play"]
    end.released.set()
    world.wait_for("ended")
    assert world.state() == ("ADMITTED", None)
    assert world.heartbeat_at(HEARTBEAT_MS, held()).body["play"] == last
    assert len({*plays}) == 1
    assert last not in plays


def test_an_end_cancels_a_pending_start(world: World) -> None:
    """A start that waits for a retry or for an answer takes no effect after an end."""
    world.service.answers(failing(), held())
    world.player.send("start")
    world.next_request("start")
    world.perform("ended", "end")
    world.wait_for("cancelled")
    world.next_request("end")
    start = held().withheld()
    world.service.answers(start, held())
    world.player.send("start")
    world.next_request("start")
    world.perform("ended", "end")
    world.next_request("end")
    start.released.set()
    world.wait_for("cancelled")
    assert world.state() == ("ENDED", None)
    assert world.is_finished()


def test_an_abandoned_stream_sends_nothing_more(world: World) -> None:
    """An abandoned stream sends no end and no heartbeat."""
    world.admitted()
    world.perform("abandoned", "abandon")
    world.perform("ended", "end")
    assert world.perform("passed", "pass", to=str(HEARTBEAT_MS), within="500")["to"] == -1
    assert world.is_finished()


def test_a_held_stream_that_is_refused_other_groups_plays_on(world: World) -> None:
    """The stream keeps its groups and its heartbeats' times, and its end names those groups."""
    world.admitted(groups=["hd"])
    world.service.answers(Answer(403, FULL_GROUP))
    refused = world.perform("refused", "start", groups=["uhd", "hdr"])
    assert (refused["limit"], refused["holders"]) == ({"group": "uhd", "max": 1}, ["tv"])
    assert world.next_request("start").body["groups"] == ["uhd", "hdr"]
    assert world.state() == ("ADMITTED", None)
    world.heartbeat_at(HEARTBEAT_MS, held())
    world.perform("ended", "end")
    assert world.next_request("end").body["groups"] == ["hd"]
    assert world.is_finished()


def test_a_held_stream_that_is_refused_stops(world: World) -> None:
    """A held stream that the refusal does not list stops, because its slot was gone already."""
    world.admitted(HOLD | {"playbackToken": "t"})
    world.service.answers(Answer(403, FULL))
    assert world.perform("refused", "start")["holders"] == ["phone"]
    world.next_request("start")
    assert world.state() == ("REFUSED", None)
    world.perform("ended", "end")
    assert world.is_finished()


def test_a_pending_start_overrides_a_heartbeats_410(world: World) -> None:
    """A heartbeat's 410 does not stop the stream, because the start may have taken the slot anew."""
    world.admitted()
    start = held().withheld()
    world.service.answers(start, Answer(410, GONE))
    world.player.send("start")
    world.next_request("start")
    world.advance_to(HEARTBEAT_MS)
    world.next_request("heartbeat")
    world.service.answers(held())
    world.advance_to(HEARTBEAT_MS + 600)
    world.next_request("heartbeat")
    start.released.set()
    world.wait_for("admitted")
    assert world.state() == ("ADMITTED", None)
    assert world.is_finished()


@pytest.mark.parametrize(
    "late", [held(HOLD | {"playbackToken": "old"}), Answer(410, GONE)], ids=["200", "410"]
)
def test_an_earlier_heartbeats_answer_does_not_affect_a_later_start(world: World, late: Answer) -> None:
    """An earlier heartbeat's token is older than the start's, and its 410 is about the earlier slot."""
    world.admitted()
    world.heartbeat_at(HEARTBEAT_MS, late.withheld())
    world.service.answers(held(HOLD | {"playbackToken": "new"}))
    world.perform("admitted", "start")
    world.next_request("start")
    late.released.set()
    world.heartbeat_at(2 * HEARTBEAT_MS, held())
    assert world.state() == ("ADMITTED", "new")
    assert world.is_finished()


def test_a_token_expires_with_its_lease(worlds: Any) -> None:
    """Heartbeats without a token do not extend it, and the listener gets each change, the token first."""
    world = worlds(1.0, "-Dtokens=true")
    world.service.answers(held(HOLD | {"playbackToken": "first"}))
    world.player.send("start")
    assert [world.player.next_event()["event"] for _ in range(2)] == ["token", "admitted"]
    world.next_request("start")
    world.heartbeat_at(HEARTBEAT_MS, held(LONG | {"playbackToken": "second", "heartbeatSeconds": 60}))
    assert world.wait_for("token")["token"] == "second"
    world.heartbeat_at(
        HEARTBEAT_MS + 60_000, held(LONG | {"playbackToken": "second", "expiresInSeconds": 90})
    )
    world.heartbeat_at(2 * HEARTBEAT_MS + 60_000, held(LONG | {"heartbeatSeconds": 30}))
    world.heartbeat_at(3 * HEARTBEAT_MS + 60_000, held(LONG | {"heartbeatSeconds": 70}))
    assert world.perform("settled", "settle")["all"] is True  # the answer must be read before time passes
    assert world.state() == ("ADMITTED", "second")
    world.advance_to(HEARTBEAT_MS + 60_000 + LEASE_MS)
    assert world.wait_for("token")["token"] is None
    assert world.state() == ("ADMITTED", None)
    world.heartbeat_at(3 * HEARTBEAT_MS + 130_000, held(LONG))
    assert world.is_finished()


DEEP: Final = b'{"expiresInSeconds": 90, "heartbeatSeconds": 30, "more": %s}'
NOT_THE_SERVICE: Final = [
    b"",
    b"[]",
    b"<html>Please sign in</html>",
    b'{"expiresInSeconds": 90}',
    b'{"expiresInSeconds": "90", "heartbeatSeconds": 30}',
    b'{"expiresInSeconds": 90, "heartbeatSeconds": 0}',
    b'{"expiresInSeconds": -1, "heartbeatSeconds": 30}',
    b'{"expiresInSeconds": 90, "heartbeatSeconds": 1e999}',
    b'{"expiresInSeconds": 86401, "heartbeatSeconds": 30}',
    b'{"expiresInSeconds": 90, "heartbeatSeconds": 30,}',
    b'{"expiresInSeconds": 90, "heartbeatSeconds": 30} {}',
    b'{"expiresInSeconds": 90, "heartbeatSeconds": 30',
    b'{"expiresInSeconds": 090, "heartbeatSeconds": 30}',
    b'{"expiresInSeconds": 90., "heartbeatSeconds": 30}',
    b'{"expiresInSeconds": +90, "heartbeatSeconds": 30}',
    b'{expiresInSeconds: 90, "heartbeatSeconds": 30}',
    *(
        DEEP % more
        for more in (
            *(
                b"NaN",
                b"nul",
                b"-",
                b"1e",
                b"'a'",
                b"[1,]",
                b"[,]",
                b"[1",
                b"{1:2}",
                b'{"a"}',
                b"\x0b1",
                b"1 2",
            ),
            *(b'"a', b'"\\x"', b'"\\u12g4"', b'"\\u12"', b'"\t"', b'"\\', b"", b"[" * 32 + b"]" * 32),
            '"\\u\u0661\u0661\u0661\u0661"'.encode(),
            b"[" * 100_000,
            b'"%s"' % (b"x" * (1 << 20)),
        )
    ),
]


def test_an_answer_of_another_server_extends_no_lease(world: World) -> None:
    """A heartbeat with an answer of another server has failed, and is repeated."""
    world.admitted(LONG)
    now = HEARTBEAT_MS
    for failures, body in enumerate(NOT_THE_SERVICE, 1):
        world.heartbeat_at(now, Answer(200, body))
        now += min(300 * 2**failures, 10_000)
    world.heartbeat_at(now, held())
    world.heartbeat_at(now + HEARTBEAT_MS, held())
    assert world.is_finished()


def test_unusual_json_is_parsed(world: World) -> None:
    """Spaces, exponents, escapes and the allowed number of levels are read."""
    more = "[{}, [ ], -0, 1.5e-3, true, false, null, " + "[" * 30 + "]" * 31
    text = f'\r\n\t {{ "expiresInSeconds" :36e2 , "heartbeatSeconds": 0.03E+3, "more": {more} }} '
    world.service.answers(Answer(200, text.encode()))
    world.perform("admitted", "start")
    world.next_request("start")
    body = FULL_GROUP | {"streams": [{"streamId": "mine", "device": '"\\/\b\f\n\r\t\u00e9\U0001f4fa'}]}
    world.service.answers(Answer(403, body))
    assert world.perform("refused", "start")["holders"] == ['"\\/\b\f\n\r\t\u00e9\U0001f4fa']
    world.next_request("start")
    world.heartbeat_at(HEARTBEAT_MS, held())


@pytest.mark.parametrize("name", ['"quoted\\"', "\x01\x1f\x7f", "\u00e9 \U0001f4fa", "\ud800"], ids=ascii)
def test_any_text_is_sent_unchanged(world: World, name: str) -> None:
    """A text is sent unchanged, even half a surrogate pair, which would otherwise be another name."""
    assert world.admitted(replaces=name).body["replaces"] == name


def test_a_list_encodes_the_user_in_its_query(world: World) -> None:
    """The query keeps a space and a plus sign apart."""
    world.service.answers(Answer(200, {"streams": [{"device": "tv"}, 1, {"device": 2}]}))
    assert world.perform("listed", "list", userId="a b+c/\u00e9")["holders"] == ["tv", ""]
    assert world.service.next_request().path == "/stream?userId=a%20b%2Bc%2F%C3%A9"
    world.perform("listed", "list")
    assert world.service.next_request().path == "/stream"


def test_the_token_is_fetched_before_every_request(world: World) -> None:
    """Without a token heartbeats fail and continue."""
    assert world.admitted(LONG).authorization is None
    world.perform("set", "set", name="token", value="first")
    assert world.heartbeat_at(HEARTBEAT_MS, held(LONG)).authorization == "Bearer first"
    world.perform("set", "set", name="token", value="none")
    for moment in (2 * HEARTBEAT_MS, 2 * HEARTBEAT_MS + 600):
        world.advance_to(moment)
        world.wait_for("no token")
    world.perform("set", "set", name="token", value="second")
    assert world.heartbeat_at(2 * HEARTBEAT_MS + 1800, held(LONG)).authorization == "Bearer second"


def test_heartbeats_continue_after_any_exception(world: World) -> None:
    """After any error, as by a header that cannot be sent, heartbeats go on; only a caller's start throws."""
    world.admitted(LONG)
    world.perform("set", "set", name="token", value="two\nlines")
    assert "IllegalArgumentException" in world.perform("mistake", "start")["message"]
    world.advance_to(HEARTBEAT_MS)
    world.advance_to(HEARTBEAT_MS + 600)
    assert world.perform("due", "due", at=str(HEARTBEAT_MS + 1800))["at"] == HEARTBEAT_MS + 1800
    world.perform("set", "set", name="token", value="one")
    assert world.heartbeat_at(HEARTBEAT_MS + 1800, held(LONG)).authorization == "Bearer one"
    assert world.state() == ("ADMITTED", None)


def test_a_redirect_is_not_followed(world: World) -> None:
    """The token goes to no other host, and the start is retried: captive portals answer so."""
    world.perform("set", "set", name="token", value="secret")
    elsewhere = Answer(302, {}, {"location": f"{world.service.url}/elsewhere"})
    world.service.answers(elsewhere, held(LONG))
    world.player.send("start")
    world.next_request("start")
    world.advance_to(600)
    world.next_request("start")
    world.wait_for("admitted")
    world.heartbeat_at(600 + HEARTBEAT_MS, elsewhere)
    world.heartbeat_at(1200 + HEARTBEAT_MS, held(LONG))
    assert world.is_finished()


def test_one_connection_serves_successive_calls(world: World) -> None:
    """One connection serves all calls, because a handshake for each heartbeat would be most of its cost."""
    connections = {world.admitted(LONG).connection}
    answers = [held(LONG), failing(), Answer(503, b""), held(LONG)]
    moments = [HEARTBEAT_MS, 2 * HEARTBEAT_MS, 2 * HEARTBEAT_MS + 600, 2 * HEARTBEAT_MS + 1800]
    for moment, answer in zip(moments, answers, strict=True):
        connections.add(world.heartbeat_at(moment, answer).connection)
    assert len(connections) == 1


def test_a_listeners_exception_does_not_stop_heartbeats(worlds: Any) -> None:
    """A listener's exception stops neither heartbeats nor the start in whose thread it was called."""
    world = worlds(1.0, "-Dthrows=true")
    world.admitted()
    world.heartbeat_at(HEARTBEAT_MS, held())
    world.heartbeat_at(2 * HEARTBEAT_MS, held())


def test_a_background_start_reports_any_failure_to_the_listener(world: World) -> None:
    """The listener gets any failure, including a timeout, and a held slot is kept."""
    world.service.answers(Answer(400, {"detail": "A mistake."}))
    failed = world.perform("failed in background", "start in background")
    assert (failed["status"], failed["message"]) == (400, "A mistake.")
    world.next_request("start")
    assert world.state() == ("IDLE", None)
    world.admitted()
    world.service.answers(Answer(429, POSTPONED, {"retry-after": "60"}))
    assert world.perform("failed in background", "start in background")["status"] == 429
    world.next_request("start")
    world.heartbeat_at(HEARTBEAT_MS, held())
    assert world.is_finished()


def test_a_background_end_is_retried_until_it_is_answered(world: World) -> None:
    """The stream and a start in the background end at once; the end is repeated until it is answered."""
    start = held().withheld()
    world.service.answers(start, failing(), Answer(200, {}))
    world.player.send("start in background")
    play = world.next_request("start").body["play"]
    world.player.send("end in background")
    assert world.next_request("end").body["play"] == play
    world.advance_to(600)
    assert world.next_request("end").body["play"] == play
    start.released.set()
    assert world.state() == ("ENDED", None)
    assert world.is_finished()


@pytest.fixture
def url() -> Iterator[ScriptedService]:
    """Yield the server that takes heartbeats beside the API."""
    with ScriptedService() as service:
        yield service


def naming(url: str, tokens: int = 1) -> dict[str, Any]:
    """Return an answer of the API with this URL, its first token or a later one, and a long lease."""
    return LONG | {"playbackToken": f"t{tokens}", "heartbeatUrl": url}


def test_heartbeats_go_to_the_url_of_the_answer(world: World, url: ScriptedService) -> None:
    """Heartbeats carry the newest token in place of the login, which is not requested any more."""
    world.perform("set", "set", name="token", value="login")
    start = world.admitted(naming(url.url))
    assert start.authorization == "Bearer login"
    world.perform("set", "set", name="token", value="none")
    url.answers(held(LONG | {"playbackToken": "t2"}), held(LONG))
    for beat, token in enumerate(["t1", "t2"], start=1):
        world.advance_to(beat * HEARTBEAT_MS)
        request = url.next_request()
        assert request.authorization is None
        own = {"userId": "1", "streamId": "mine", "play": start.body["play"]}
        assert request.body == {**own, "playbackToken": token}
    assert world.state() == ("ADMITTED", "t2")
    assert world.is_finished()


# The first URL would answer, but its name is not listed.
@pytest.mark.parametrize("name", ["http://127.1:{port}/", "ftp://localhost/", "//localhost/", "beats", "", 7])
def test_a_token_is_sent_only_over_https_or_loopback(
    world: World, url: ScriptedService, name: str | int
) -> None:
    """A token is sent only to an https or loopback URL; otherwise the heartbeat goes to the API."""
    url.answers(held(LONG))
    named = name.format(port=url.port) if isinstance(name, str) else name
    world.admitted(LONG | {"playbackToken": "t1", "heartbeatUrl": named})
    assert "playbackToken" not in world.heartbeat_at(HEARTBEAT_MS, held()).body
    assert url.is_idle()


def test_without_a_token_heartbeats_go_to_the_api(world: World, url: ScriptedService) -> None:
    """Without a token heartbeats go to the API, even if the URL was named."""
    url.answers(held(LONG))
    world.admitted(LONG | {"heartbeatUrl": url.url})
    world.heartbeat_at(HEARTBEAT_MS, held())
    assert url.is_idle()


@pytest.mark.parametrize(
    "failure",
    [
        Answer(401, {"code": "unauthenticated"}),
        Answer(403, {"Message": "Forbidden"}),
        Answer(404, {}),
        Answer(413, {"code": "payload_too_large"}),
        Answer(400, {"code": "invalid_request"}),
        Answer(429, {"message": "Too Many Requests"}),
        Answer(502, {"message": "Internal Server Error"}),
        Answer(200, {"login": "here"}),
        Answer(307, {}, {"location": "/elsewhere"}),
    ],
    ids=lambda answer: str(answer.status),
)
def test_an_unanswered_heartbeat_falls_back_to_the_api_at_once(
    world: World, url: ScriptedService, failure: Answer
) -> None:
    """The heartbeat goes to the API at once, and the next one to the URL again."""
    world.admitted(naming(url.url))
    url.answers(failure, held(LONG))
    world.heartbeat_at(HEARTBEAT_MS, held(naming(url.url, 2)))
    assert url.next_request().body["playbackToken"] == "t1"
    world.advance_to(2 * HEARTBEAT_MS)
    assert url.next_request().body["playbackToken"] == "t2"
    assert world.is_finished()


def test_a_dead_url_falls_back_to_the_api(world: World) -> None:
    """With a dead URL the heartbeat goes to the API at once."""
    with ScriptedService() as url:
        address = url.url
    world.admitted(naming(address))
    world.heartbeat_at(HEARTBEAT_MS, held())
    assert world.is_finished()


@pytest.mark.parametrize("status", [429, 503])
def test_an_answer_of_the_service_is_final(world: World, url: ScriptedService, status: int) -> None:
    """After the service's own answer the URL is called again later, because the API would answer the same."""
    world.admitted(naming(url.url))
    url.answers(Answer(status, {"code": "store_unavailable"}))
    for moment in (HEARTBEAT_MS, HEARTBEAT_MS + 600, HEARTBEAT_MS + 1800):
        world.advance_to(moment)
        url.next_request()
    assert world.is_finished()


def test_a_410_of_the_url_is_a_410(world: World, url: ScriptedService) -> None:
    """The stream is gone, and the API is not called."""
    world.admitted(naming(url.url))
    url.answers(Answer(410, GONE | {"reason": "evicted", "by": "phone"}))
    world.advance_to(HEARTBEAT_MS)
    assert world.wait_for("gone")["by"] == "phone"
    assert world.is_finished()


def test_a_url_that_fails_twice_in_a_row_is_not_used_until_the_lease_expires(
    world: World, url: ScriptedService
) -> None:
    """The lease of the second failure in a row, at the fourth heartbeat, lasts until the sixth."""
    answer = HOLD | {"playbackToken": "t1"}
    named = held(answer | {"heartbeatUrl": url.url})
    world.admitted(named.body)
    url.answers(failing(404), held(answer), failing(404))
    world.service.answers(named)
    for beat, is_asked in enumerate([True, True, True, True, False, False, True, True, False], start=1):
        world.advance_to(beat * HEARTBEAT_MS)
        if is_asked:
            url.next_request()
        if beat != 2:
            world.next_request("heartbeat")
        assert url.is_idle()
    assert world.is_finished()


def test_the_latest_answer_of_the_api_sets_the_url(world: World, url: ScriptedService) -> None:
    """Each answer of the API names the URL to use, or none, which ends its use."""
    url.answers(failing(404))
    world.admitted(LONG | {"playbackToken": "t1"})
    world.heartbeat_at(HEARTBEAT_MS, held(naming(url.url)))
    assert url.is_idle()
    world.heartbeat_at(2 * HEARTBEAT_MS, held(LONG))
    url.next_request()
    world.heartbeat_at(3 * HEARTBEAT_MS, held(LONG))
    assert url.is_idle()


def test_a_device_that_slept_sends_what_is_due(jar: Path, tmp_path: Path) -> None:
    """After a sleep what is due is sent, by Android's clock, which runs on while its timers stand still."""
    sources = (HERE / "Player.java", HERE / "HandClock.java", HERE / "SystemClock.java")
    command = [*java_program(tmp_path, jar, *sources), "Player"]
    with ScriptedService() as service, ExitStack() as players:
        player = Player([*command, service.url, "1", "tv", "mine"])
        players.callback(player.crash)
        world = World(player, service)
        world.admitted({"expiresInSeconds": 7200, "heartbeatSeconds": 3600})
        world.perform("set", "set", name="slept", value="3600000")
        world.next_request("heartbeat")
        world.perform("set", "set", name="slept", value="10801000")
        world.wait_for("lapsed")
        world.next_request("start")
        world.wait_for("resumed")


IN_ANDROID_5: Final = {
    "java.io": "ByteArrayOutputStream IOException InputStream OutputStream UnsupportedEncodingException",
    "java.lang": (
        "AssertionError Boolean Byte Character Class ClassNotFoundException Double Enum Exception"
        " IllegalAccessException IllegalStateException Integer InterruptedException Long Math"
        " NoSuchMethodException Object ReflectiveOperationException Runnable RuntimeException String"
        " StringBuilder System Thread Thread$UncaughtExceptionHandler Throwable"
    ),
    "java.lang.reflect": "InvocationTargetException Method",
    "java.net": "HttpURLConnection URL URLEncoder",
    "java.nio.charset": "StandardCharsets",
    "java.security": "SecureRandom",
    "java.util": (
        "ArrayDeque ArrayList Arrays Collection Collections Iterator LinkedHashMap List Map Map$Entry Queue"
        " Random Set"
    ),
    "java.util.concurrent": "Callable Executor Executors",
    # The compiler's output for a lambda: Android's build tools translate it.
    "java.lang.invoke": "LambdaMetafactory MethodHandles MethodHandles$Lookup",
}
"""Classes of API level 21 and before: https://developer.android.com/reference/classes."""
NEW_IN_JAVA_8: Final = re.compile(
    r"String\.(join|chars|codePoints)"
    r"|\w*(Map|List|Deque|Queue|Set|Collection|Iterator|Arrays|Entry)\."
    r"(getOrDefault|putIfAbsent|compute\w*|merge|replace\w*|removeIf|sort|forEach\w*|stream|spliterator"
    r"|comparing\w*|setAll|parallel\w*)"
    r"|(Boolean|Byte|Character|Double|Integer|Long)\.(hashCode|sum|max|min|is\w*Finite|logical\w*|\w*[uU]nsigned\w*)"
    r"|Math\.(\w+Exact|floor(Div|Mod)|nextDown)|Random\.(ints|longs|doubles)|Executors\.newWorkStealingPool"
)


def test_the_client_calls_nothing_that_android_5_lacks(jar: Path) -> None:
    """The client uses no class of a later API level, and no method that Java 8 added to one of these."""
    listed = succeed(java_home() / "jar", "--list", "--file", jar).split()
    classes = [name.removesuffix(".class") for name in listed if name.endswith(".class")]
    pool = succeed(
        java_home() / "javap", "-v", "-p", "-cp", jar, *(name.replace("/", ".") for name in classes)
    )
    used = set(re.findall(r"= Class .*// (java[\w/$]+)", pool))
    known = {f"{package}.{name}" for package, names in IN_ANDROID_5.items() for name in names.split()}
    assert "java/net/HttpURLConnection" in used
    assert {name.replace("/", ".") for name in used} - known == set()
    methods = set(re.findall(r"Methodref .*// java/[\w/]*?([\w$]+\.\w+):", pool))
    assert {"Map.get", "Thread.setDaemon"} < methods
    assert {method for method in methods if NEW_IN_JAVA_8.fullmatch(method)} == set()
