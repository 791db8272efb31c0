"""The behaviour of every client against the running service: one suite, run by a file per client."""

import json
import os
import queue
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import httpx
import localstack_client.session
import pytest

from dev.local.local_service import LocalService
from tests.clients.scripted import Answer, Request, ScriptedService
from tests.edge.tokens import base64url
from tests.support.proxy import Proxy

LEASE_SECONDS: Final = 3  # long enough that a busy machine makes no stream lapse
GRACE_SECONDS: Final = 1
SETTINGS: Final = {
    "MAX_STREAMS": "1",
    "LEASE_SECONDS": str(LEASE_SECONDS),
    "HEARTBEAT_SECONDS": "0.25",
    "GRACE_SECONDS": str(GRACE_SECONDS),
    "PLAYBACK_KEY": "off",
}
OPEN_SETTINGS: Final = SETTINGS | {
    "ON_STORE_FAILURE": "open",
    "LEASE_SECONDS": "60",  # so that no lease expires by its player's clock
}
TOKEN_SETTINGS: Final = SETTINGS | {
    "PLAYBACK_KEY": f"test:{base64url(bytes(32))}",
    "TOKEN_OVERLAP": "1",
    "LEASE_SECONDS": "60",  # so that no token expires before its test
}
"""One stream, and at most two names with a token."""
PLAN_SETTINGS: Final = SETTINGS | {"MAX_STREAMS": "3", "GROUP_LIMITS": "uhd=1"}
TIMEOUT_SECONDS: Final = 20
HOLD: Final = {"streamCount": 1, "maxStreams": 3, "expiresInSeconds": 60, "heartbeatSeconds": 0.1}
"""A scripted answer to a start or a heartbeat; its lease outlasts the test."""
TOKEN_HOLD: Final = HOLD | {"playbackToken": "t1"}
GONE: Final = {"status": 410, "code": "stream_gone", "title": "Gone", "detail": "The stream is gone."}


class Player:
    """A player in a process of its own, which can crash."""

    def __init__(self, command: list[str]) -> None:
        self._process = subprocess.Popen(
            command,
            env={"PATH": os.environ["PATH"]},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._events: queue.Queue[dict[str, Any]] = queue.Queue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def do(self, action: str, **options: str | list[str]) -> dict[str, Any]:
        """Send it a command, and return the event that follows."""
        self.send(action, **options)
        return self.next_event()

    def send(self, action: str, **options: str | list[str]) -> None:
        """Send it a command, and do not wait for its event."""
        assert self._process.stdin
        self._process.stdin.write(json.dumps({"action": action, **options}) + "\n")
        self._process.stdin.flush()

    def next_event(self) -> dict[str, Any]:
        """Return its next event."""
        return self._events.get(timeout=TIMEOUT_SECONDS)

    def expect(self, *events: str) -> dict[str, Any]:
        """Wait for exactly these events, in this order; return the last one."""
        seen = [self.next_event() for _ in events]
        assert [event["event"] for event in seen] == list(events)
        return seen[-1]

    def is_silent(self) -> bool:
        """Return whether every event that it has written was read."""
        return self._events.empty()

    def crash(self) -> None:
        """Kill it without a farewell."""
        self._process.kill()
        self._process.wait()
        self._reader.join()
        assert self._process.stdin
        self._process.stdin.close()

    def _read(self) -> None:
        assert self._process.stdout
        with self._process.stdout as output:
            for line in output:
                self._events.put(json.loads(line))


class Household:
    """A user of one stream, and its players."""

    def __init__(self, command: list[str], url: str, user_id: str, players: ExitStack) -> None:
        self._command = command
        self._players = players
        self.url = url
        self.user_id = user_id

    def player(self, device: str, url: str | None = None, stream_id: str | None = None) -> Player:
        """Start one more player, under the name of an earlier screen or one of its own."""
        name = [] if stream_id is None else [stream_id]
        player = Player([*self._command, url or self.url, self.user_id, device, *name])
        self._players.callback(player.crash)
        return player

    def watching(self) -> list[tuple[str, str]]:
        """Return the name and the device of each stream."""
        return [(stream["streamId"], stream["device"]) for stream in self._streams()]

    def groups(self) -> dict[str, list[str]]:
        """Return the groups of each device that is watching."""
        return {stream["device"]: stream.get("groups", []) for stream in self._streams()}

    def _streams(self) -> list[dict[str, Any]]:
        listed = httpx.get(f"{self.url}/stream", params={"userId": self.user_id}).json()
        return list(listed["streams"])

    def until(self, holds: Callable[[list[str]], bool]) -> None:
        """Wait until this holds of the devices that are watching."""
        deadline = time.monotonic() + TIMEOUT_SECONDS
        while not holds([device for _, device in self.watching()]):
            assert time.monotonic() < deadline, self.watching()
            time.sleep(0.1)


@dataclass(frozen=True)
class ByToken:
    """A player, the API, and the URL that takes heartbeats beside it."""

    player: Player
    api: ScriptedService
    url: ScriptedService

    def starts(self, *script: Answer, seconds: float = 60) -> Request:
        """Let the player start, and the URL give heartbeats this answer; return the start.

        The API admits, extends and names the URL, with a lease of this number of seconds.
        """
        self.url.answers(*script)
        named = {"heartbeatUrl": f"{self.url.url}/beat", "expiresInSeconds": seconds}
        self.api.answers(Answer(200, TOKEN_HOLD | named))
        assert self.player.do("start")["hasToken"]
        return self.api.next_request()


@pytest.fixture(scope="module")
def store(localstack: localstack_client.session.Session) -> dict[str, str]:
    """Yield a store that outlives the service."""
    return {"AWS_ENDPOINT_URL_DYNAMODB": localstack.client("dynamodb").meta.endpoint_url}


@pytest.fixture(scope="module")
def service(store: dict[str, str]) -> Iterator[LocalService]:
    """Yield the service, one stream per user, with short leases."""
    with LocalService(SETTINGS | store) as service:
        yield service


@pytest.fixture(scope="module")
def tokens(store: dict[str, str]) -> Iterator[LocalService]:
    """Yield the service, one stream per user, with playback tokens."""
    with LocalService(TOKEN_SETTINGS | store) as service:
        yield service


@pytest.fixture(scope="module")
def plan(store: dict[str, str]) -> Iterator[LocalService]:
    """Yield the service, three streams per user, one of them in UHD."""
    with LocalService(PLAN_SETTINGS | store) as service:
        yield service


@dataclass(frozen=True)
class Outage:
    """A service that fails open, and the way to its store."""

    service: LocalService
    way: Proxy


@pytest.fixture(scope="module")
def outage(store: dict[str, str]) -> Iterator[Outage]:
    """Yield the service, one stream per user, behind a store that can become unavailable and come back."""
    port = urlsplit(store["AWS_ENDPOINT_URL_DYNAMODB"]).port
    assert port
    with Proxy(port) as way:
        address = {"AWS_ENDPOINT_URL_DYNAMODB": f"http://127.0.0.1:{way.port}"}
        with LocalService(OPEN_SETTINGS | address) as service:
            yield Outage(service, way)


class Behaviour:
    """The suite; each client's class installs its client."""

    @staticmethod
    def install(folder: Path) -> list[str]:
        """Install the client there as its users do; return the command that starts a player."""
        raise NotImplementedError

    @pytest.fixture(scope="class")
    @classmethod
    def command(cls, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
        """Return the command that starts a player."""
        return cls.install(tmp_path_factory.mktemp("installed"))

    @pytest.fixture
    def household(self, command: list[str], service: LocalService, user_id: str) -> Iterator[Household]:
        """Yield a household of its own for each test."""
        with ExitStack() as players:
            yield Household(command, service.url, user_id, players)

    @pytest.fixture
    def guarded(self, command: list[str], tokens: LocalService, user_id: str) -> Iterator[Household]:
        """Yield a household of its own for each test, whose streams have playback tokens."""
        with ExitStack() as players:
            yield Household(command, tokens.url, user_id, players)

    @pytest.fixture
    def planned(self, command: list[str], plan: LocalService, user_id: str) -> Iterator[Household]:
        """Yield a household of its own for each test, of three streams and one in UHD."""
        with ExitStack() as players:
            yield Household(command, plan.url, user_id, players)

    def test_a_player_keeps_its_slot_and_frees_it(self, household: Household) -> None:
        """A player keeps its slot for longer than a lease, under one name, and gives it back."""
        player = household.player("tv")
        name = player.do("start")["streamId"]
        time.sleep(LEASE_SECONDS + GRACE_SECONDS + 1)
        assert household.watching() == [(name, "tv")]
        assert player.do("end")["event"] == "ended"
        assert household.watching() == []

    def test_a_refused_player_gets_the_list_of_streams(self, household: Household) -> None:
        """A refused player receives the list of streams, and takes no slot."""
        name = household.player("tv").do("start")["streamId"]
        refused = household.player("phone").do("start")
        assert (refused["event"], refused["holders"]) == ("refused", ["tv"])
        assert household.watching() == [(name, "tv")]

    def test_a_crashed_players_slot_is_freed_after_the_lease(self, household: Household) -> None:
        """A crashed player's slot is free after its lease and the grace, and not before."""
        tv, phone = household.player("tv"), household.player("phone")
        tv.do("start")
        tv.crash()
        assert phone.do("start")["event"] == "refused"
        household.until(lambda devices: devices == [])
        assert phone.do("start")["event"] == "admitted"

    def test_a_player_whose_slot_was_taken_over_stops(self, guarded: Household) -> None:
        """A player whose slot was taken over in its lease names the other one, and does not start again."""
        tv, phone = guarded.player("tv"), guarded.player("phone")
        first = tv.do("start")["streamId"]
        second = phone.do("start", replaces=first)
        assert second["event"] == "admitted"
        gone = tv.expect("gone")
        assert (gone["reason"], gone["by"]) == ("replaced", "phone")
        time.sleep(LEASE_SECONDS)
        assert guarded.watching() == [(second["streamId"], "phone")]
        assert phone.is_silent()

    @pytest.mark.parametrize(
        "why", [{"reason": "evicted", "by": "Living room TV"}, {"reason": "ended"}, {}], ids=str
    )
    def test_a_stopped_player_has_the_reason_and_the_device(
        self, command: list[str], user_id: str, why: dict[str, str]
    ) -> None:
        """A player has the reason and the device of a 410, as far as the service gives them."""
        with ExitStack() as players, ScriptedService() as service:
            tv = Household(command, service.url, user_id, players).player("tv")
            service.answers(Answer(200, HOLD), Answer(410, GONE | why))
            tv.do("start")
            gone = tv.expect("gone")
            assert (gone.get("reason"), gone.get("by")) == (why.get("reason"), why.get("by"))

    @pytest.fixture
    def by_token(self, command: list[str], user_id: str) -> Iterator[ByToken]:
        """Yield a player of a scripted API, whose answers name a URL for heartbeats by playback token."""
        with ExitStack() as players, ScriptedService() as api, ScriptedService() as url:
            tv = Household(command, api.url, user_id, players).player("tv")
            yield ByToken(tv, api, url)

    def test_heartbeats_go_to_the_url_of_the_answer(self, by_token: ByToken) -> None:
        """Heartbeats go to the URL with the newest playback token, and without the login."""
        start = by_token.starts(Answer(200, TOKEN_HOLD | {"playbackToken": "t2"}))
        assert start.authorization == "Bearer login"
        for token in ("t1", "t2", "t2"):
            request = by_token.url.next_request()
            assert request.authorization is None
            own = {name: start.body[name] for name in ("userId", "streamId", "play")}
            assert request.body == {**own, "playbackToken": token}
        assert by_token.api.is_idle()
        assert by_token.player.is_silent()

    @pytest.mark.parametrize(
        "failure",
        [
            Answer(401, {"code": "unauthenticated"}),
            Answer(403, {"Message": "Forbidden"}),
            Answer(429, {"message": "Too Many Requests"}),
            Answer(502, {"message": "Internal Server Error"}),
            Answer(307, {}, {"location": "/elsewhere"}),
        ],
        ids=lambda answer: str(answer.status),
    )
    def test_an_unanswered_heartbeat_falls_back_to_the_api(self, by_token: ByToken, failure: Answer) -> None:
        """After one failure of the URL, the heartbeat goes to the API, and the next one to the URL again."""
        by_token.starts(failure, Answer(200, TOKEN_HOLD))
        assert [by_token.url.next_request().path for _ in range(3)] == ["/beat"] * 3
        heartbeat = by_token.api.next_request()
        assert (heartbeat.path, heartbeat.authorization) == ("/stream/heartbeat", "Bearer login")
        assert "playbackToken" not in heartbeat.body
        assert by_token.api.is_idle()
        assert by_token.player.is_silent()

    def test_a_url_that_fails_twice_is_not_used_until_the_lease_expires(self, by_token: ByToken) -> None:
        """After two failures of the URL, heartbeats go to the API for a lease, and then to the URL again."""
        by_token.starts(Answer(404, {}), Answer(404, {}), Answer(200, TOKEN_HOLD), seconds=LEASE_SECONDS)
        for _ in range(2):
            by_token.url.next_request()
        for _ in range(2 + 5):
            assert by_token.api.next_request().path == "/stream/heartbeat"
        assert by_token.url.is_idle()
        for _ in range(3):
            by_token.url.next_request()
        assert by_token.player.is_silent()

    def test_a_410_of_the_url_stops_a_player(self, by_token: ByToken) -> None:
        """A stopped player has the reason, and makes no other request."""
        by_token.starts(Answer(410, GONE | {"reason": "replaced", "by": "phone"}))
        gone = by_token.player.expect("gone")
        assert (gone["reason"], gone["by"]) == ("replaced", "phone")
        assert by_token.api.is_idle()

    def test_a_network_outage_longer_than_a_lease(self, household: Household, service: LocalService) -> None:
        """The stream lapses, and takes its slot back by the same name after another player had it."""
        with Proxy(service.port) as network:
            tv = household.player("tv", f"http://127.0.0.1:{network.port}")
            phone = household.player("phone")
            name = tv.do("start")["streamId"]
            network.refuse()
            tv.expect("lapsed")
            household.until(lambda devices: devices == [])
            assert phone.do("start")["event"] == "admitted"
            assert phone.do("end")["event"] == "ended"
            assert tv.is_silent()
            network.resume()
            assert tv.expect("resumed")["streamId"] == name
            assert household.watching() == [(name, "tv")]
            time.sleep(1)  # some heartbeats
            assert tv.is_silent()

    def test_a_network_outage_shorter_than_a_lease(self, household: Household, service: LocalService) -> None:
        """The slot is held throughout, and the player reports nothing."""
        with Proxy(service.port) as network:
            tv = household.player("tv", f"http://127.0.0.1:{network.port}")
            name = tv.do("start")["streamId"]
            network.refuse()
            time.sleep(LEASE_SECONDS / 4)
            network.resume()
            time.sleep(LEASE_SECONDS + GRACE_SECONDS + 1)
            assert household.watching() == [(name, "tv")]
            assert tv.is_silent()

    def test_a_network_that_accepts_requests_without_answering(
        self, household: Household, service: LocalService
    ) -> None:
        """A stream lapses in time although a request hangs, and its slot is still free then."""
        with Proxy(service.port) as network:
            tv = household.player("tv", f"http://127.0.0.1:{network.port}")
            name = tv.do("start")["streamId"]
            network.hang()
            tv.expect("lapsed")
            assert household.watching() == [(name, "tv")]  # for the grace
            network.resume()
            tv.expect("resumed")
            assert household.watching() == [(name, "tv")]

    def test_a_lapsed_player_ends(self, household: Household, service: LocalService) -> None:
        """A lapsed player ends as one that holds its slot does, and does not start again."""
        with Proxy(service.port) as network:
            tv = household.player("tv", f"http://127.0.0.1:{network.port}")
            tv.do("start")
            network.refuse()
            tv.expect("lapsed")
            tv.send("end")
            time.sleep(1)  # until it has read that: a start under way could reach the service after the end
            network.resume()
            tv.expect("ended")
            assert household.watching() == []
            time.sleep(1)  # a start would have come
            assert household.watching() == []
            assert tv.is_silent()

    def test_a_network_outage_while_another_player_takes_the_slot(
        self, household: Household, service: LocalService
    ) -> None:
        """The first player lapses, asks once more, is refused, and stops."""
        with Proxy(service.port) as network:
            tv = household.player("tv", f"http://127.0.0.1:{network.port}")
            phone = household.player("phone")
            tv.do("start")
            network.refuse()
            tv.expect("lapsed")
            household.until(lambda devices: devices == [])
            name = phone.do("start")["streamId"]
            network.resume()
            assert tv.expect("refused")["holders"] == ["phone"]
            time.sleep(1)  # another start would have come
            assert household.watching() == [(name, "phone")]
            assert tv.is_silent()

    def test_the_next_episode_keeps_the_slot(self, household: Household) -> None:
        """The next episode keeps slot and name at the limit too; without a playback key it has no token."""
        player = household.player("tv")
        first = player.do("start")
        assert not first["hasToken"]
        assert player.do("start") == first
        time.sleep(LEASE_SECONDS)
        assert household.watching() == [(first["streamId"], "tv")]
        assert player.is_silent()
        assert player.do("end")["event"] == "ended"
        assert household.watching() == []

    def test_a_service_that_is_restarted(
        self, command: list[str], store: dict[str, str], user_id: str
    ) -> None:
        """The player keeps its slot under its name, though it lapsed meanwhile, because the store has it."""
        with ExitStack() as players, LocalService(SETTINGS | store) as first:
            household = Household(command, first.url, user_id, players)
            player = household.player("tv")
            name = player.do("start")["streamId"]
            first.stop()
            player.expect("lapsed")
            with LocalService(SETTINGS | store | {"PORT": str(first.port)}):
                player.expect("resumed")
                time.sleep(LEASE_SECONDS + GRACE_SECONDS + 1)
                assert household.watching() == [(name, "tv")]
                assert player.is_silent()
                assert player.do("end") == {"event": "ended", "streamId": name, "holders": []}

    def test_a_store_outage_during_a_start(self, command: list[str], outage: Outage, user_id: str) -> None:
        """A player that was admitted unverified plays on, and has a slot when the store is back."""
        with ExitStack() as players:
            household = Household(command, outage.service.url, user_id, players)
            tv = household.player("tv")
            outage.way.refuse()
            assert tv.do("start")["event"] == "admitted"
            outage.way.resume()
            household.until(lambda devices: devices == ["tv"])
            assert household.player("phone").do("start")["event"] == "refused"
            assert tv.is_silent()
            assert tv.do("end")["event"] == "ended"
            assert household.watching() == []

    def test_a_store_outage_between_two_episodes(
        self, command: list[str], outage: Outage, user_id: str
    ) -> None:
        """After an outage of the store between two episodes, the screen has its slot, and can end it."""
        with ExitStack() as players:
            household = Household(command, outage.service.url, user_id, players)
            tv = household.player("tv")
            first = tv.do("start")["streamId"]
            outage.way.refuse()
            assert tv.do("start")["event"] == "admitted"
            outage.way.resume()
            household.until(lambda devices: devices == ["tv"])
            time.sleep(1)  # some heartbeats
            assert household.watching() == [(first, "tv")]
            assert tv.is_silent()
            assert tv.do("end")["event"] == "ended"
            assert household.watching() == []

    def test_a_store_outage_during_a_takeover(self, command: list[str], outage: Outage, user_id: str) -> None:
        """The store missed the takeover, and has it once it is back."""
        with ExitStack() as players:
            household = Household(command, outage.service.url, user_id, players)
            phone, tv = household.player("phone"), household.player("tv")
            name = phone.do("start")["streamId"]
            outage.way.refuse()
            assert tv.do("start", replaces=name)["event"] == "admitted"
            outage.way.resume()
            household.until(lambda devices: devices == ["tv"])
            # Which of the two depends on whether a heartbeat of it was unverified.
            assert phone.next_event()["event"] in {"gone", "refused"}
            assert tv.is_silent()

    def test_a_reloaded_page_still_has_its_slot(self, guarded: Household) -> None:
        """After five reloads without a farewell the name counts once, so another screen has room for one."""
        tv = guarded.player("tv")
        name = tv.do("start")["streamId"]
        for _ in range(5):
            tv.crash()
            tv = guarded.player("tv", stream_id=name)
            assert tv.do("start")["hasToken"]
        assert guarded.watching() == [(name, "tv")]
        assert guarded.player("phone").do("start", replaces=name)["event"] == "admitted"
        assert tv.next_event()["event"] == "gone"

    def test_five_next_episodes_count_as_one_name(self, guarded: Household) -> None:
        """Five next episodes count as one name, so another screen has room for its own."""
        tv = guarded.player("tv")
        (name,) = {tv.do("start")["streamId"] for _ in range(6)}
        assert guarded.watching() == [(name, "tv")]
        assert tv.is_silent()
        assert guarded.player("phone").do("start", replaces=name)["event"] == "admitted"

    def test_zapping_leaves_room_for_another_screen(self, guarded: Household) -> None:
        """Five channels within one lease, each ended before the next, count as one name."""
        tv = guarded.player("tv")
        for _ in range(5):
            assert tv.do("start")["hasToken"]
            assert tv.do("end")["event"] == "ended"
        assert guarded.player("phone").do("start")["event"] == "admitted"

    def test_a_late_end_does_not_end_the_reloaded_page(
        self, guarded: Household, tokens: LocalService
    ) -> None:
        """A late end is of the earlier play, and the play that holds the slot now continues."""
        with Proxy(tokens.port) as network:
            before = guarded.player("tv", f"http://127.0.0.1:{network.port}")
            name = before.do("start")["streamId"]
            network.hang()
            before.send("end")
            after = guarded.player("tv", stream_id=name)
            assert after.do("start")["event"] == "admitted"
            network.resume()
            assert before.next_event()["event"] == "ended"
        time.sleep(1)  # some heartbeats
        assert guarded.watching() == [(name, "tv")]
        assert after.is_silent()

    def test_a_postponed_start_has_a_retry_time_and_loses_nothing(self, guarded: Household) -> None:
        """A start that is postponed for its names leaves the stream to be replaced and its next episode."""
        tv, phone, tablet = (guarded.player(device) for device in ("tv", "phone", "tablet"))
        first = tv.do("start")["streamId"]
        second = phone.do("start", replaces=first)["streamId"]
        postponed = tablet.do("start", replaces=second)
        assert postponed["event"] == "postponed"
        assert 15 < postponed["seconds"] <= 62  # a lease, the grace, and the rest of a second
        assert phone.do("start")["hasToken"]
        time.sleep(1)  # some heartbeats
        assert guarded.watching() == [(second, "phone")]
        assert phone.is_silent()

    def test_a_player_refused_by_a_group_plays_without_the_group(self, planned: Household) -> None:
        """The refusal names the full group and the streams in it; without the group the player plays."""
        tv, phone = planned.player("tv"), planned.player("phone")
        assert tv.do("start", groups=["uhd"])["event"] == "admitted"
        refused = phone.do("start", groups=["uhd"])
        assert (refused["event"], refused["holders"]) == ("refused", ["tv"])
        assert refused["limit"] == {"group": "uhd", "max": 1}
        assert phone.do("start", groups=[])["event"] == "admitted"
        assert planned.groups() == {"tv": ["uhd"], "phone": []}

    def test_a_held_stream_can_change_its_groups(self, planned: Household) -> None:
        """Another stream can then take the place in the group, even one that is held already."""
        tv, phone = planned.player("tv"), planned.player("phone")
        names = {tv.do("start", groups=["uhd"])["streamId"], phone.do("start")["streamId"]}
        names |= {tv.do("start", groups=[])["streamId"], phone.do("start", groups=["uhd"])["streamId"]}
        assert planned.groups() == {"tv": [], "phone": ["uhd"]}
        assert {name for name, _ in planned.watching()} == names
        assert phone.do("end")["event"] == "ended"
        assert tv.do("start", groups=["uhd"])["event"] == "admitted"
        assert tv.is_silent()

    def test_a_held_stream_that_is_refused_a_group_plays_on(self, planned: Household) -> None:
        """The stream is kept for longer than a lease, and reports only the refusal."""
        tv, phone = planned.player("tv"), planned.player("phone")
        tv.do("start", groups=["uhd"])
        name = phone.do("start")["streamId"]
        assert phone.do("start", groups=["uhd"])["event"] == "refused"
        time.sleep(LEASE_SECONDS + GRACE_SECONDS + 1)
        assert planned.groups() == {"tv": ["uhd"], "phone": []}
        assert phone.is_silent()
        assert phone.do("start") == {"event": "admitted", "streamId": name, "holders": [], "hasToken": False}
        assert phone.do("end")["event"] == "ended"
        assert planned.groups() == {"tv": ["uhd"]}

    def test_a_lapsed_stream_restarts_in_its_groups(self, planned: Household, plan: LocalService) -> None:
        """A lapsed stream starts again in its groups automatically, though another had its place since."""
        with Proxy(plan.port) as network:
            tv = planned.player("tv", f"http://127.0.0.1:{network.port}")
            phone = planned.player("phone")
            tv.do("start", groups=["uhd"])
            network.refuse()
            tv.expect("lapsed")
            planned.until(lambda devices: devices == [])
            assert phone.do("start", groups=["uhd"])["event"] == "admitted"
            assert phone.do("end")["event"] == "ended"
            network.resume()
            tv.expect("resumed")
            assert planned.groups() == {"tv": ["uhd"]}
            assert tv.is_silent()
