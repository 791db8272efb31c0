"""Attacks on a service that asks for tokens, and on one that asks for signatures, over HTTP."""

import json
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import Final

import pytest
from botocore.credentials import Credentials

from dev.emulator import start_emulator
from dev.issuer import AUDIENCE, Issuer
from dev.smoke import USER, SmokeError, signature, smoke
from tests.e2e.attacked import START, World
from tests.e2e.attacks import CLAIMS, INPUTS, OTHERS, SIGNATURES, TOKENS, Attack, json_of
from tests.e2e.deployed import need_the_tools, stage
from tests.logs import log_lines, telling
from tests.support import client_of

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
