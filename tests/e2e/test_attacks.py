"""Attacks on a service that asks for tokens, and on one that asks for signatures, over HTTP."""

import asyncio
import json
import os
import sys
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Final

import pytest
from botocore.credentials import Credentials

from dev.emulator import REGION, start_emulator
from dev.issuer import AUDIENCE, Issuer
from dev.smoke import USER, SmokeError, signature, smoke
from stream_limiter_client import AsyncStreamLimiter, LimitReached, ServiceError, StreamLimiter
from tests.clients.installed import examples, python_client
from tests.e2e.attacked import START, World
from tests.e2e.attacks import CLAIMS, INPUTS, OTHERS, SIGNATURES, TOKENS, Attack, json_of
from tests.e2e.deployed import need_the_tools, stage
from tests.logs import log_lines, telling
from tests.support import client_of, succeed

pytestmark = [pytest.mark.e2e, pytest.mark.long, pytest.mark.timeout(300)]

FRIEND: Final = "viewer-friend"


@pytest.fixture(scope="module")
def worlds(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, World]]:
    """Both services, on one emulator that checks signatures and policies."""
    need_the_tools()
    directory = tmp_path_factory.mktemp("attacked")
    with start_emulator(enforce_iam=True) as emulator:
        account = partial(client_of, emulator.endpoint_url)
        issuer = Issuer.at(emulator.endpoint_url, directory / "issuer.pem")
        issuer.publish(account("s3"))
        tokens = {"auth": "jwt", "jwt_issuer": issuer.url, "jwt_audience": json.dumps([AUDIENCE])}
        root = Credentials("test", "test")
        jwt = World("jwt", stage(emulator, directory / "jwt", **tokens)[1], issuer, account, root)
        iam = World("iam", stage(emulator, directory / "iam", auth="iam")[1], issuer, account, root)
        backend = iam.user_with("backend", iam.arn(f"{iam.api_id}/$default/*"))
        yield {"jwt": jwt, "iam": replace(iam, backend=backend)}


def test_who_may_call_can(worlds: dict[str, World]) -> None:
    """A token starts its subject's stream under its limit, a signature anybody's under the one it names."""
    jwt, iam = worlds["jwt"], worlds["iam"]
    token = {"authorization": f"Bearer {jwt.issuer.token(FRIEND, maxStreams=7)}"}
    started = jwt.send(START, json_of(streamId="tv"), token)
    assert (started.status_code, started.json()["maxStreams"]) == (200, 7)
    assert jwt.send("/stream", None, token).json()["streamCount"] == 1

    body = json_of(userId=FRIEND, streamId="tv", maxStreams=1)
    assert iam.send(START, body, iam.signed(START, body, iam.backend)).status_code == 200
    path = f"/stream?userId={FRIEND}&maxStreams=9"
    listed = iam.send(path, None, iam.signed(path, None, iam.backend)).json()
    assert (listed["streamCount"], listed["maxStreams"]) == (1, 9)


def test_the_smoke_test_says_who_it_is(worlds: dict[str, World]) -> None:
    """With a token or a signature it passes, and leaves its user's streams as they were; without it fails."""
    jwt, iam = worlds["jwt"], worlds["iam"]
    token = jwt.issuer.token(FRIEND)

    def streams() -> list[str]:
        listed = jwt.send("/stream", None, {"authorization": f"Bearer {token}"}).json()
        return [stream["streamId"] for stream in listed["streams"]]

    before = streams()
    smoke(jwt.url, token=token)

    assert streams() == before
    smoke(iam.url, sign=signature())
    for world, status in ((jwt, 401), (iam, 403)):
        with pytest.raises(SmokeError, match=f"/stream/start answered {status}"):
            smoke(world.url)


def test_the_python_clients_example_signs(worlds: dict[str, World], tmp_path: Path) -> None:
    """As it stands in the README, it takes a slot under the limit that it names."""
    backend = worlds["iam"].backend
    python_client(tmp_path)
    *_, example = examples("python", "python")
    script = tmp_path / "example.py"
    example = example.replace("https://api.example.com", worlds["iam"].url).replace('"1"', f'"{FRIEND}"')
    script.write_text(example, encoding="utf-8")
    environment = {
        "PATH": os.environ["PATH"],
        "AWS_ACCESS_KEY_ID": backend.access_key,
        "AWS_SECRET_ACCESS_KEY": backend.secret_key,
        "AWS_DEFAULT_REGION": REGION,
    }
    printed = succeed(sys.executable, script, env=environment, seconds=60)
    assert "device='tv'" in printed
    assert "max_streams=5" in printed


def test_both_python_clients_sign_and_name_the_limit(worlds: dict[str, World]) -> None:
    """A limit of 0 refuses, another one admits; a user whose name has to be encoded is signed for as well."""
    url = worlds["iam"].url
    odd = f"{FRIEND} é+/@:"

    async def in_asyncio() -> None:
        async with AsyncStreamLimiter(url, auth=signature()) as limiter:
            with pytest.raises(LimitReached):
                await limiter.stream(FRIEND, max_streams=0).start()
            async with limiter.stream(FRIEND, max_streams=20) as stream:
                assert stream.stream_id in await names(limiter)
            assert (await limiter.streams(odd, max_streams=7)).max_streams == 7

    async def names(limiter: AsyncStreamLimiter) -> list[str]:
        return [stream.stream_id for stream in (await limiter.streams(FRIEND)).streams]

    asyncio.run(in_asyncio())
    with StreamLimiter(url, auth=signature()) as limiter:
        with pytest.raises(LimitReached):
            limiter.stream(FRIEND, max_streams=0).start()
        with limiter.stream(FRIEND, max_streams=20) as stream:
            assert stream.stream_id in [one.stream_id for one in limiter.streams(FRIEND).streams]
        assert limiter.streams(odd, max_streams=7).max_streams == 7
    with StreamLimiter(url) as limiter, pytest.raises(ServiceError) as refused:
        limiter.stream(FRIEND).start()
    assert refused.value.status == 403


@pytest.mark.parametrize(
    ("auth", "attack"),
    [
        *(("jwt", attack) for attack in (*TOKENS, *CLAIMS, *OTHERS, *INPUTS)),
        *(("iam", attack) for attack in (*SIGNATURES, *INPUTS)),
    ],
    ids=lambda value: value.name if isinstance(value, Attack) else value,
)
def test_an_attack_is_refused(auth: str, attack: Attack, worlds: dict[str, World]) -> None:
    """Each attack ends with the status, and where the service answers with the code, that is its own."""
    answer = attack.send(worlds[auth])

    assert answer.status_code == attack.status, answer.text
    assert answer.json().get("code") == attack.code


def test_no_line_of_a_log_names_a_user_or_holds_a_token(worlds: dict[str, World]) -> None:
    """Whatever was sent, the logs hold hashes: not what the attacked, nor what the attackers are called."""
    assert telling(log_lines(worlds["jwt"].account("logs"))) == []


def test_no_attack_left_a_trace(worlds: dict[str, World]) -> None:
    """Runs last: neither the attacker nor the victim has an item in any table."""
    store = worlds["jwt"].account("dynamodb")
    users = {
        item["userId"]["S"]
        for table in store.list_tables()["TableNames"]
        for item in store.scan(TableName=table)["Items"]
    }
    assert users == {FRIEND, USER}
