"""A deployed service whose user is a household, for players that cannot be changed."""

import json
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any, Final

import httpx
import pytest
from botocore.credentials import Credentials

from dev.emulators.ministack import start_emulator
from tests.e2e.support.deployment import need_the_tools, published_issuer, stage
from tests.e2e.support.target import START, World
from tests.support.logs import leaks, log_lines
from tests.support.service import client_of

pytestmark = [pytest.mark.e2e, pytest.mark.long, pytest.mark.timeout(300)]

CLAIM: Final = "custom:household"
SMITH: Final = "viewer-household-smith"
PARENT: Final = "viewer-parent"
CHILD: Final = "viewer-child"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Return a service whose user is the household, which ignores unknown fields and refuses anonymity."""
    need_the_tools()
    directory = tmp_path_factory.mktemp("households")
    with start_emulator(enforce_iam=True) as emulator:
        account = partial(client_of, emulator.endpoint_url)
        issuer, tokens = published_issuer(emulator, directory)
        rules = {"user_claim": CLAIM, "max_streams": "2", "anonymous": "refuse", "unknown_fields": "ignore"}
        _, url = stage(emulator, directory / "stage", **tokens, **rules)
        yield World("jwt", url, issuer, account, Credentials("test", "test"))


def call(
    world: World, path: str, subject: str, claims: Mapping[str, object], **fields: object
) -> httpx.Response:
    """Send one request of a member of a household."""
    token = world.issuer.token(subject, **claims)
    body = None if path.startswith("/stream?") or path == "/stream" else json.dumps(fields).encode()
    return world.send(path, body, {"authorization": f"Bearer {token}"})


def problem(answer: httpx.Response) -> tuple[int, str, str]:
    """Return the status, the code and the text of a problem."""
    body: dict[str, Any] = answer.json()
    return answer.status_code, body["code"], body["detail"]


def test_a_household_shares_one_limit(world: World) -> None:
    """Two subjects fill the one limit, are refused by each other's streams, and end them."""
    smith = {CLAIM: SMITH}
    assert call(world, START, PARENT, smith, streamId="tv").json()["streamCount"] == 1
    assert call(world, START, CHILD, smith, streamId="tablet").json()["streamCount"] == 2

    refused = call(world, START, CHILD, smith, streamId="phone", userId=SMITH)
    assert refused.status_code == 403
    assert {stream["streamId"] for stream in refused.json()["streams"]} == {"tv", "tablet"}
    assert call(world, "/stream", PARENT, smith).json()["streamCount"] == 2
    assert call(world, START, CHILD, {CLAIM: "viewer-household-jones"}, streamId="phone").status_code == 200

    assert call(world, "/stream/end", PARENT, smith, streamId="tablet").json()["ended"] is True
    assert call(world, "/stream/heartbeat", CHILD, smith, streamId="tablet").status_code == 410
    assert call(world, START, CHILD, smith, streamId="phone").json()["streamCount"] == 2


@pytest.mark.parametrize(
    "household",
    [None, "", " ", "x" * 129, "viewer\n1", [], [SMITH], [SMITH, "viewer-household-jones"], {"id": SMITH}],
    ids=["absent", "empty", "blank", "too long", "line break", "no item", "one item", "two items", "object"],
)
def test_a_token_without_a_household_is_refused(household: object, world: World) -> None:
    """The subject does not replace a missing household, and API Gateway's text of a list is not a name."""
    assert problem(call(world, START, SMITH, {CLAIM: household}, streamId="tv")) == (
        403,
        "invalid_subject",
        f"The token's claim {CLAIM} is missing or is not a valid userId.",
    )


def test_no_member_can_act_for_another_household(world: World) -> None:
    """A request that names another household, or the token's own subject, is refused."""
    for named in ("viewer-household-jones", PARENT):
        assert problem(call(world, START, PARENT, {CLAIM: SMITH}, userId=named, streamId="tv")) == (
            403,
            "other_user",
            f"userId must be the token's claim {CLAIM}, or be left out.",
        )


def test_players_that_send_unknown_fields_are_served(world: World) -> None:
    """Unknown fields do no harm, and known ones must be spelt right."""
    claims = {CLAIM: "viewer-household-old"}
    more = {"appVersion": "4.2", "user": {"id": 1}}
    assert call(world, START, PARENT, claims, streamId="tv", **more).status_code == 200
    assert call(world, "/stream/end", PARENT, claims, streamId="tv", **more).json()["ended"] is True
    for spelling in ("streamID", "stream_id", "user_id"):
        status, code, detail = problem(call(world, START, PARENT, claims, **{spelling: "tv"}))
        assert (status, code) == (400, "invalid_request")
        assert detail == f"{spelling} is not a known field."
    assert call(world, "/stream?deviceId=a1", PARENT, claims).status_code == 200
    assert call(world, "/stream?user_id=a1", PARENT, claims).status_code == 400


def test_an_anonymous_start_is_refused(world: World) -> None:
    """A start without a name is a 400 that names the field; an end without one is answered as before."""
    claims = {CLAIM: "viewer-household-nameless"}
    assert problem(call(world, START, PARENT, claims)) == (
        400,
        "invalid_request",
        "streamId is required.",
    )
    assert problem(call(world, "/stream/end", PARENT, claims))[:2] == (403, "no_active_stream")


def test_logs_contain_neither_members_nor_households(world: World) -> None:
    """After all tests the logs hold hashes of households, and no names."""
    assert leaks(log_lines(world.account("logs"))) == []
