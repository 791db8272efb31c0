"""A household of 64 players that start, heartbeat, end, crash and come back, over HTTP."""

import asyncio
import itertools
import os
import random
import time
from collections import defaultdict
from datetime import datetime
from typing import Final

import httpx
import pytest

from dev.local.local_service import LocalService

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180), pytest.mark.long]

PLAYERS: Final = 64
LIMIT: Final = 3
SECONDS: Final = float(os.environ.get("PLAYERS_SECONDS", "10"))
LEASE_SECONDS: Final = 1
GRACE_SECONDS: Final = 1


class Household:
    """One user's players, and the answers to each: from when until when it held a slot."""

    def __init__(self, client: httpx.AsyncClient, seed: int) -> None:
        self.client = client
        self.random = random.Random(seed)  # noqa: S311 - which player does what
        self.held: dict[str, list[tuple[float, float]]] = defaultdict(list)
        self.answers: dict[tuple[str, int], int] = defaultdict(int)

    async def post(self, action: str, stream_id: str) -> httpx.Response:
        """Make one call for a stream."""
        answer = await self.client.post(
            f"/stream/{action}", json={"userId": "viewer-household", "streamId": stream_id}
        )
        self.answers[action, answer.status_code] += 1
        assert answer.status_code in {200, 403, 410}, answer.text
        return answer

    async def player(self, number: int, until: float) -> None:
        """Play one stream after the other, some to their end and some to a crash."""
        for play in itertools.count():
            await asyncio.sleep(self.random.uniform(0.2, 2))
            if time.time() >= until:
                return
            stream_id = f"{number}-{play}"
            crashed = await self.watch(stream_id, until)
            if crashed and self.random.random() < 0.5:
                await asyncio.sleep(self.random.uniform(0, 4))
                await self.watch(stream_id, until)  # it comes back under its name

    async def watch(self, stream_id: str, until: float) -> bool:
        """Watch until the end or a crash; return whether it was a crash."""
        answer = await self.post("start", stream_id)
        if answer.status_code == 403:
            assert len(answer.json()["streams"]) == LIMIT
            return False
        since = time.time()
        held = self.held[stream_id]
        if held and held[-1][1] >= since:  # back within its own lease: the same slot, and this time counts
            since = held.pop()[0]
        expiry = _expiry(answer)
        for _ in range(self.random.randrange(8)):
            await asyncio.sleep(LEASE_SECONDS / 3)
            sent = time.time()
            if sent >= until:
                break
            answer = await self.post("heartbeat", stream_id)
            if answer.status_code == 410:
                assert time.time() >= expiry + GRACE_SECONDS, "a live stream was answered as gone"
                break
            expiry = _expiry(answer)
        crashed = self.random.random() < 0.4
        held.append((since, expiry if crashed else min(expiry, time.time())))
        if not crashed:
            await self.post("end", stream_id)
        return crashed

    def most_at_once(self) -> int:
        """Return the most different streams that were granted a slot at one moment."""
        moments: list[tuple[float, int]] = []
        for intervals in self.held.values():
            for since, until in intervals:
                if since < until:
                    moments += [(since, 1), (until, -1)]
        now = most = 0
        for _, change in sorted(moments):  # at the same moment, one goes before another comes
            now += change
            most = max(most, now)
        return most


def _expiry(answer: httpx.Response) -> float:
    return datetime.fromisoformat(answer.json()["expiresAt"]).timestamp()


async def _play(url: str) -> Household:
    # Idle connections are left before the server closes them, which takes it five seconds.
    limits = httpx.Limits(max_connections=PLAYERS, keepalive_expiry=2)
    async with httpx.AsyncClient(base_url=url, timeout=10, limits=limits) as client:
        household = Household(client, seed=64)
        until = time.time() + SECONDS
        async with asyncio.TaskGroup() as players:
            for number in range(PLAYERS):
                players.create_task(household.player(number, until))
        return household


def test_64_players_never_hold_more_than_three_slots_and_lose_none() -> None:
    """At most the limit of streams are live at any moment, and at the end all slots are free."""
    settings = {
        "LEASE_SECONDS": str(LEASE_SECONDS),
        "GRACE_SECONDS": str(GRACE_SECONDS),
        "PLAYBACK_KEY": "off",  # else most of these names would wait for the tokens of others
    }
    with LocalService(settings) as service:
        household = asyncio.run(_play(service.url))
        assert household.most_at_once() == LIMIT  # never more, and the slots were fought for
        for happened in (("start", 200), ("start", 403), ("heartbeat", 200), ("end", 200)):
            assert household.answers[happened] > 0
        time.sleep(LEASE_SECONDS + GRACE_SECONDS + 2)  # and both roundings
        listed = httpx.get(f"{service.url}/stream", params={"userId": "viewer-household"}).json()
        assert listed["streamCount"] == 0
        again = [
            httpx.post(
                f"{service.url}/stream/start", json={"userId": "viewer-household", "streamId": f"again-{n}"}
            )
            for n in range(LIMIT + 1)
        ]
        assert [answer.status_code for answer in again] == [200, 200, 200, 403]
