"""Attacks on a service that requires tokens, and on one that requires signatures, over HTTP."""

import asyncio
import os
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, Final

import pytest
from botocore.credentials import Credentials

from dev.emulators.edge import Edge, Refused
from dev.emulators.ministack import REGION, start_emulator
from dev.operate.smoke import USER, SmokeError, signature, smoke
from stream_limiter_client import AsyncStreamLimiter, LimitReached, ServiceError, StreamLimiter
from tests.clients.installed import examples, python_client
from tests.e2e.support.attacks import (
    CLAIMS,
    INPUTS,
    OPERATOR,
    OTHERS,
    PLAYBACK,
    SIGNATURES,
    TOKENS,
    Attack,
    json_of,
)
from tests.e2e.support.deployment import need_the_tools, published_issuer, stage
from tests.e2e.support.target import SCRIPT, START, World
from tests.e2e.support.token_attacks import (
    CIRCLES,
    CONFIG,
    ESCAPES,
    FORGERIES,
    OVERLAP,
    PLAYBACK_KEY,
    VIDEO,
    Forgery,
    Script,
    claims_of,
)
from tests.edge.tokens import FOREIGN_KEY, KEY, key_text
from tests.support.commands import succeed
from tests.support.logs import leaks, log_lines
from tests.support.service import client_of

pytestmark = [pytest.mark.e2e, pytest.mark.long, pytest.mark.timeout(300)]

FRIEND: Final = "viewer-friend"
PARAMETER: Final = "/stream-limiter/playback-key"


@pytest.fixture(scope="module")
def worlds(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, World]]:
    """Return both services, which issue playback tokens, on one emulator that enforces signatures and IAM."""
    need_the_tools()
    directory = tmp_path_factory.mktemp("attacked")
    with start_emulator(enforce_iam=True) as emulator:
        account = partial(client_of, emulator.endpoint_url)
        issuer, tokens = published_issuer(emulator, directory)
        account("ssm").put_parameter(Name=PARAMETER, Value=PLAYBACK_KEY, Type="SecureString")
        tokens["playback_key_parameter"] = PARAMETER
        signatures = {"auth": "iam", "on_limit": "evict_oldest", "playback_key_parameter": PARAMETER}
        root = Credentials("test", "test")
        jwt = World("jwt", stage(emulator, directory / "jwt", **tokens)[1], issuer, account, root)
        iam = World("iam", stage(emulator, directory / "iam", **signatures)[1], issuer, account, root)
        backend = iam.user_with("backend", *iam.documented_arns("backend"))
        yield {"jwt": jwt, "iam": replace(iam, backend=backend)}


def test_an_authorized_caller_is_served(worlds: dict[str, World]) -> None:
    """A token starts its subject's stream under its limit, a signature any user's under a named limit."""
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


def test_the_smoke_test_authenticates(worlds: dict[str, World]) -> None:
    """With a token or a signature the smoke test passes and leaves no streams; without one it fails."""
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
    """The README's example, unchanged, takes a slot under the limit that it names."""
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
    """A limit of 0 refuses and another one admits, also for a user whose name has to be encoded."""
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
        *(("jwt", attack) for attack in (*TOKENS, *CLAIMS, *OTHERS, *PLAYBACK, *INPUTS)),
        *(("iam", attack) for attack in (*SIGNATURES, *INPUTS)),
        *((auth, attack) for auth in ("jwt", "iam") for attack in OPERATOR),
    ],
    ids=lambda value: value.name if isinstance(value, Attack) else value,
)
def test_an_attack_is_refused(auth: str, attack: Attack, worlds: dict[str, World]) -> None:
    """Each attack ends with its status and, where the service answers, its code."""
    answer = attack.send(worlds[auth])

    assert answer.status_code == attack.status, answer.text
    assert answer.json().get("code") == attack.code


@pytest.fixture(scope="module")
def edge() -> Edge:
    """Return an edge that knows the key of both services."""
    return Edge(CONFIG)


def reason(edge: Edge, path: str, **request: Any) -> str:
    """Return why the edge refuses a request for this path, or that it passes."""
    outcome = edge.handle("GET", path, **request)
    return outcome.headers["x-playback"] if isinstance(outcome, Refused) else "passed"


@pytest.mark.parametrize("limit", [1, 3])
@pytest.mark.parametrize(("auth", "circle"), CIRCLES, ids=lambda value: getattr(value, "__name__", value))
def test_a_script_gets_no_more_than_limit_plus_overlap(
    auth: str, circle: Callable[[Script], None], limit: int, worlds: dict[str, World], edge: Edge
) -> None:
    """Exactly limit plus overlap streams have video, however a script starts and ends; one more is a 429."""
    script = Script(worlds[auth], f"{SCRIPT}-{circle.__name__}-{limit}", limit)

    circle(script)

    assert len(script.plays(edge)) == limit + OVERLAP
    assert "too_many_starts" in script.refusals
    path = f"/stream?userId={script.user}"
    login = {"authorization": f"Bearer {worlds['jwt'].issuer.token(script.user)}"}
    who = login if auth == "jwt" else worlds[auth].signed(path, None, worlds[auth].backend)
    assert worlds[auth].send(path, None, who).json()["streamCount"] <= limit


def test_devices_that_share_a_name_share_one_stream(worlds: dict[str, World], edge: Edge) -> None:
    """Without `play`, ten devices take one slot, and all their tokens are of one stream."""
    script = Script(worlds["jwt"], f"{SCRIPT}-sharing", 1)
    devices = [f"device {number}" for number in range(10)]

    assert [script.call("start", streamId="tv", device=device).status_code for device in devices] == [
        200
    ] * 10
    assert [script.call("heartbeat", streamId="tv").status_code for _ in devices] == [200] * 10
    assert len(script.tokens) == 20
    assert script.plays(edge) == {"tv"}
    assert not script.start("pc"), "the shared stream has the one slot"


def test_a_new_page_takes_the_stream_over(worlds: dict[str, World], edge: Edge) -> None:
    """With `play`, only the device that started last gets more tokens; the previous one gets a 410."""
    script = Script(worlds["jwt"], f"{SCRIPT}-taking-over", 1)
    for number in range(10):
        assert script.start("tv", play=f"page-{number}")
        if number:
            before = script.call("heartbeat", streamId="tv", play=f"page-{number - 1}")
            assert (before.status_code, before.json()["code"]) == (410, "stream_gone")
            assert "playbackToken" not in before.json()
    assert script.call("heartbeat", streamId="tv", play="page-9").status_code == 200
    assert script.plays(edge) == {"tv"}


def test_a_refused_player_gets_no_token(worlds: dict[str, World]) -> None:
    """A start at the limit, a heartbeat without a slot and an anonymous stream get no token."""
    script = Script(worlds["jwt"], f"{SCRIPT}-refused", 1)
    assert script.start("tv")
    assert not script.start("pc")
    assert script.call("heartbeat", streamId="pc").status_code == 410
    assert script.call("end").status_code == 403
    assert len(script.tokens) == 1
    nameless = Script(worlds["jwt"], f"{SCRIPT}-nameless", 1)
    assert nameless.call("start").status_code == 200
    assert nameless.tokens == []


@pytest.mark.parametrize("forgery", FORGERIES, ids=lambda forgery: forgery.name)
def test_the_edge_refuses_every_altered_token(forgery: Forgery, worlds: dict[str, World], edge: Edge) -> None:
    """A token opens the video as it was issued, and in no form that an attacker makes of it."""
    token = worlds["jwt"].playback_token(f"{SCRIPT}-forging", streamId="tv")

    assert reason(edge, VIDEO, query={"CAT": token}) == "passed"
    assert reason(edge, VIDEO, **forgery.request(worlds["jwt"], token)) == forgery.reason


def test_another_services_token_opens_nothing(worlds: dict[str, World]) -> None:
    """An edge that knows only another key refuses the token."""
    foreign = {"mode": "enforce", "keys": {KEY.kid: key_text(FOREIGN_KEY)}}
    token = worlds["jwt"].playback_token(f"{SCRIPT}-foreign", streamId="tv")
    assert reason(Edge(foreign), VIDEO, query={"CAT": token}) == "invalid"


def test_a_copied_token_opens_until_its_lease_expires(worlds: dict[str, World]) -> None:
    """A copied token opens after its stream's end, not after its lease, and no other user can renew it."""
    owner = Script(worlds["jwt"], f"{SCRIPT}-owner", 1)
    started = owner.call("start", streamId="tv")
    token = started.json()["playbackToken"]
    expires_at = datetime.fromisoformat(started.json()["expiresAt"]).timestamp()
    assert owner.call("end", streamId="tv").status_code == 200
    for now, verdict in ((time.time(), "passed"), (expires_at - 1, "passed"), (expires_at, "expired")):
        assert reason(Edge(CONFIG, clock=partial(float, now)), VIDEO, query={"CAT": token}) == verdict

    copier = Script(worlds["jwt"], f"{SCRIPT}-copier", 1)
    for route in ("start", "heartbeat"):
        assert copier.call(route, userId=owner.user, streamId="tv").json()["code"] == "other_user"
    assert copier.call("heartbeat", streamId="tv").status_code == 410
    assert copier.tokens == []


def test_one_name_of_two_users_is_two_streams(worlds: dict[str, World]) -> None:
    """Tokens of two users carry two pseudonyms, and no user's name."""
    tokens = [worlds["jwt"].playback_token(f"{SCRIPT}-{name}", streamId="same") for name in ("a", "b")]
    claims = [claims_of(token) for token in tokens]
    assert claims[0][7] == claims[1][7]
    assert claims[0][2] != claims[1][2]
    assert not any(SCRIPT in str(one) for one in claims)


@pytest.mark.parametrize("path", ESCAPES)
def test_a_token_for_one_path_opens_no_other(path: str, worlds: dict[str, World], edge: Edge) -> None:
    """If a backend has bound a stream to a path, no spelling of another path is let through."""
    token = worlds["iam"].playback_token(f"{SCRIPT}-path", streamId="tv", pathPrefix="/films/")

    assert reason(edge, VIDEO, query={"CAT": token}) == "passed"
    assert reason(edge, path, query={"CAT": token}) == "path"


def test_logs_contain_neither_users_nor_tokens(worlds: dict[str, World], edge: Edge) -> None:
    """Functions log hashes and the edge logs reasons: no user's name, no token and no key."""
    lines = log_lines(worlds["jwt"].account("logs"))
    assert leaks(lines) == []
    assert leaks(edge.log) == []
    token = worlds["jwt"].playback_token(f"{SCRIPT}-logged", streamId="tv")
    for secret in (token, f"GET /films/1.ts?CAT={token}"):
        assert leaks([secret]) == [secret], "the collector would not notice"
    assert not any(key_text(KEY) in line for line in (*lines, *edge.log))


def test_no_attack_leaves_an_item(worlds: dict[str, World]) -> None:
    """After all attacks, neither the attacker nor the victim has an item in any table."""
    store = worlds["jwt"].account("dynamodb")
    users = {
        item["userId"]["S"]
        for table in store.list_tables()["TableNames"]
        for item in store.scan(TableName=table)["Items"]
    }
    assert {user for user in users if not user.startswith(SCRIPT)} == {FRIEND, USER}
