"""The serving process is killed repeatedly under load, while the store keeps running.

Each life of the service has its own users. Their players record the answers they got; after a restart, the
store must hold what the answers promised, and nothing else.
"""

import itertools
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from random import Random
from typing import Any, Final

import httpx

from adapters.dynamodb.items import key, snapshot
from dev.emulators.dynamodb_local import start_dynamodb_local
from dev.emulators.table import ensure_table
from dev.local.local_service import LocalService
from domain.streams import Snapshot
from proof.harness.report import Progress, Row
from testing.stores import Way, sdk_client_of

LIMIT: Final = 3
LEASE_SECONDS: Final = 5
GRACE_SECONDS: Final = 1
PLAYERS: Final = 12
HOUSEHOLDS: Final = 3
TABLE: Final = "crash"
OVERLAP: Final = 20
"""As wide as possible, as these players keep replacing streams: most of their starts must be admitted."""

WITH_TOKENS: Final = {"PLAYBACK_KEY": f"k1:{'A' * 43}", "TOKEN_OVERLAP": str(OVERLAP)}


@dataclass
class Play:
    """One stream, and its player's knowledge of it.

    Attributes:
        expires_at: the expiry of its slot by the last answer; 0 if that answer denied a slot.
        known: whether every request about it was answered; a lost answer leaves it unknown.
    """

    user_id: str
    stream_id: str
    expires_at: float = 0
    known: bool = True

    def contradicts(self, state: Snapshot, now: float) -> bool:
        """Return whether the store contradicts the player's answers."""
        if not self.known:
            return False
        if self.expires_at > now:
            return self.stream_id not in state.leases
        return self.expires_at == 0 and self.stream_id in state.leases


class Load:
    """Players that start, heartbeat and end until their service dies.

    Attributes:
        plays: all streams played.
        answers: the number of answered requests.
    """

    def __init__(self, client: httpx.Client, life: int, seed: int) -> None:
        self._client = client
        self.users = [f"life-{life}-{household}" for household in range(HOUSEHOLDS)]
        self.plays: list[Play] = []
        self.answers = 0
        self._seed = f"{seed}/{life}"
        self._lock = threading.Lock()

    def player(self, number: int) -> None:
        """Play one stream after another, until no answer comes."""
        random = Random(f"{self._seed}/{number}")
        for count in itertools.count():
            play = Play(random.choice(self.users), f"{number}-{count}")
            self.plays.append(play)
            try:
                self._play(play, random)
            except httpx.TransportError:
                play.known = False
                return

    def _play(self, play: Play, random: Random) -> None:
        self._call("start", play)
        while play.expires_at and random.random() < 0.7:
            self._call("heartbeat", play)
        if play.expires_at and random.random() < 0.7:
            self._call("end", play)

    def _call(self, action: str, play: Play) -> None:
        body = {"userId": play.user_id, "streamId": play.stream_id}
        answer = self._client.post(f"/stream/{action}", json=body)
        with self._lock:
            self.answers += 1
        if answer.status_code == httpx.codes.SERVICE_UNAVAILABLE:
            play.known = False
        expiry = answer.json().get("expiresAt") if answer.is_success else None
        play.expires_at = datetime.fromisoformat(expiry).timestamp() if expiry else 0


def prove(seed: int, goal: int, progress: Progress) -> list[Row]:
    """Kill the service `goal` times, and check the store after each restart."""
    answers = cut_off = wrong = above = kills = 0
    users: list[str] = []
    with _store() as (client, settings):
        load: Load | None = None
        while kills < goal and progress(kills, goal):
            life = {"STORE_CLIENT": "lean" if kills % 2 else "boto3"}
            if kills % 4 > 1:
                life |= WITH_TOKENS
            with LocalService(settings | life) as service:
                if load is not None:
                    wrong += _contradictions(client, load)
                    above += sum(not _is_sound(client, user) for user in load.users)
                with httpx.Client(base_url=service.url, timeout=5, trust_env=False) as http:
                    load = Load(http, kills, seed)
                    _play_until_killed(service, load, Random(f"{seed}/{kills}"))
            kills += 1
            users += load.users
            answers += load.answers
            cut_off += sum(not play.known for play in load.plays)
        with LocalService(settings | WITH_TOKENS) as service:
            if load is not None:
                wrong += _contradictions(client, load)
            time.sleep(LEASE_SECONDS + GRACE_SECONDS + 2)  # plus both roundings
            leaked = sum(not _is_free(service.url, user) for user in users)
    return [
        Row("crash.kills", f"{kills} after {answers:,} answers", f"{goal}", kills >= goal),
        Row("crash.cut_off", f"{cut_off} requests", "some", cut_off > 0),
        Row("crash.lost_or_revived", f"{wrong}", "0", wrong == 0),
        Row("crash.above_the_limit", f"{above} of {len(users)} users", "0", above == 0),
        Row("crash.leaked", f"{leaked} of {len(users)} users", "0", leaked == 0),
    ]


@contextmanager
def _store() -> Iterator[tuple[Any, dict[str, str]]]:
    """Yield a client of the store, and the settings that direct the service to it."""
    with start_dynamodb_local() as store:
        client = sdk_client_of(Way(store.endpoint_url, lean=False))
        ensure_table(client, TABLE)
        yield (
            client,
            {
                "AWS_ENDPOINT_URL_DYNAMODB": store.endpoint_url,
                "TABLE_NAME": TABLE,
                "MAX_STREAMS": str(LIMIT),
                "LEASE_SECONDS": str(LEASE_SECONDS),
                "GRACE_SECONDS": str(GRACE_SECONDS),
                "LOG_LEVEL": "error",
            },
        )


def _play_until_killed(service: LocalService, load: Load, random: Random) -> None:
    with ThreadPoolExecutor(PLAYERS) as players:
        playing = [players.submit(load.player, number) for number in range(PLAYERS)]
        enough, until = random.randrange(20, 300), time.monotonic() + 10
        while load.answers < enough and time.monotonic() < until:
            time.sleep(0.002)
        service.stop(signal.SIGKILL)
        for player in playing:
            player.result()


def _state(client: Any, user_id: str) -> Snapshot:
    return snapshot(client.get_item(TableName=TABLE, Key=key(user_id), ConsistentRead=True).get("Item", {}))


def _contradictions(client: Any, load: Load) -> int:
    states = {user: _state(client, user) for user in load.users}
    now = time.time()
    return sum(play.contradicts(states[play.user_id], now) for play in load.plays)


def _is_sound(client: Any, user_id: str) -> bool:
    state = _state(client, user_id)
    names = state.tokens or frozenset()
    if state.tokens is not None and names != state.leases.keys() | state.spent.keys():
        return False
    slots = len(state.leases) + state.anonymous.count
    return state.stream_count == slots <= LIMIT and len(names) <= LIMIT + OVERLAP


def _is_free(url: str, user_id: str) -> bool:
    """Return whether the user can start as many streams as the limit allows, and no more."""
    starts = [
        httpx.post(f"{url}/stream/start", json={"userId": user_id, "streamId": f"again-{n}"}, trust_env=False)
        for n in range(LIMIT + 1)
    ]
    return [start.status_code for start in starts] == [200] * LIMIT + [403]
