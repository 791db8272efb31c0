"""Changes of `auth` in a deployed stage, behind a gateway that deletes no authorizer in use."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, Final

import httpx
import pytest

from dev.emulators.ministack import start_emulator
from dev.tools.terraform import Stack
from tests.e2e.support.deployment import need_the_tools, stage
from tests.e2e.support.strict_gateway import StrictGateway
from tests.support.service import client_of

pytestmark = [pytest.mark.e2e, pytest.mark.long, pytest.mark.timeout(300)]

TOKENS: Final = {"jwt_audience": json.dumps(["streams"])}
MODES: Final = {
    "jwt": {"auth": "jwt", "jwt_issuer": "https://login.example.com/", **TOKENS},
    "another issuer": {"auth": "jwt", "jwt_issuer": "https://accounts.example.com/", **TOKENS},
    "iam": {"auth": "iam"},
    "none": {"auth": "none"},
}
ROUTES: Final = {"jwt": "JWT", "another issuer": "JWT", "iam": "AWS_IAM", "none": "NONE"}
OPERATORS: Final = [("AWS_IAM", None)] * 2
"""The authentication of the operator's routes in each mode."""

STRANGER: Final = {"jwt": 401, "another issuer": 401, "iam": 403, "none": 200}
WALK: Final = ("jwt", "iam", "jwt", "none", "iam", "none", "jwt", "another issuer")
"""Every change from one mode to another, each once."""


@dataclass
class ChangingStage:
    """A stage, and the mode that it was last applied in."""

    stack: Stack
    url: str
    gateway: StrictGateway
    apis: Any
    mode: str

    def change_to(self, mode: str) -> None:
        """Apply the stage in this mode."""
        kept = {name: value for name, value in self.stack.variables.items() if name not in MODES["jwt"]}
        self.stack = replace(self.stack, variables={**kept, **MODES[mode]})
        self.stack.apply()
        self.mode = mode

    def authorizers(self) -> dict[str, str]:
        """Return the issuer of each authorizer, by its id."""
        (api,) = self.apis.get_apis()["Items"]
        found = self.apis.get_authorizers(ApiId=api["ApiId"])["Items"]
        return {one["AuthorizerId"]: one["JwtConfiguration"]["Issuer"] for one in found}

    def routes(self) -> list[tuple[str, str | None]]:
        """Return how each route authenticates, and by which authorizer."""
        (api,) = self.apis.get_apis()["Items"]
        found = self.apis.get_routes(ApiId=api["ApiId"])["Items"]
        return [(one["AuthorizationType"], one.get("AuthorizerId") or None) for one in found]


@pytest.fixture(scope="module")
def changing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ChangingStage]:
    """Return a stage under the first mode of the walk; its changes go through a gateway as strict as AWS."""
    need_the_tools()
    first = WALK[0]
    with start_emulator(enforce_iam=True) as emulator, StrictGateway(emulator.port) as gateway:
        stack, url = stage(emulator, tmp_path_factory.mktemp("changing"), **MODES[first])
        strict = {**stack.environment, "AWS_ENDPOINT_URL_APIGATEWAYV2": gateway.url}
        apis = client_of(emulator.endpoint_url, "apigatewayv2")
        yield ChangingStage(replace(stack, environment=strict), url, gateway, apis, first)


@pytest.mark.parametrize(("before", "after"), list(pairwise(WALK)))
def test_each_change_of_mode_can_be_applied(before: str, after: str, changing: ChangingStage) -> None:
    """No authorizer is deleted while a route refers to it, and routes for players get the new mode."""
    if changing.mode != before:
        changing.change_to(before)
    old, deleted = changing.authorizers(), len(changing.gateway.deleted)

    changing.change_to(after)

    new = changing.authorizers()
    assert list(new.values()) == [MODES[after][name] for name in ["jwt_issuer"] if name in MODES[after]]
    assert changing.gateway.deleted[deleted:] == [one for one in old if one not in new]
    of_players = [(ROUTES[after], next(iter(new), None))] * 4
    assert sorted(changing.routes(), key=str) == sorted([*of_players, *OPERATORS], key=str)
    assert httpx.get(f"{changing.url}/stream?userId=1", timeout=30).status_code == STRANGER[after]
    assert httpx.get(f"{changing.url}/operator/streams?userId=1", timeout=30).status_code == 403


def test_a_stage_with_an_authorizer_can_be_undeployed(changing: ChangingStage) -> None:
    """Runs last: undeployment deletes the routes before the authorizer that they refer to."""
    if changing.mode not in {"jwt", "another issuer"}:
        changing.change_to("jwt")
    (authorizer,) = changing.authorizers()

    changing.stack.destroy()

    assert changing.gateway.deleted[-1:] == [authorizer]
    assert changing.apis.get_apis()["Items"] == []
