"""Tokens as six logins mint them, at a deployed service that has the settings of their guides in turn."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import httpx
import pytest

from dev.emulators.issuer import Issuer
from dev.emulators.ministack import start_emulator
from tests.e2e.support.deployment import need_the_tools, published_issuer, stage
from tests.e2e.support.token_shapes import HOUSEHOLD, LIMIT, SHAPES, UHD_LIMIT, Shape, guide_settings
from tests.support.service import client_of

pytestmark = [pytest.mark.e2e, pytest.mark.long, pytest.mark.timeout(300)]

CLAIMS: Final = {
    "limit_claim": "LIMIT_CLAIM",
    "group_limits_claim": "GROUP_LIMITS_CLAIM",
    "user_claim": "USER_CLAIM",
}
"""The settings of a guide that functions have, and their names there."""


@dataclass(frozen=True)
class Service:
    """One deployed service. A `terraform apply` for each guide would take most of a minute.

    Attributes:
        url: its address.
        endpoint_url: the emulator that it is on.
        issuer: of the tokens that it accepts.
    """

    url: str
    endpoint_url: str
    issuer: Issuer

    def client(self, service: str) -> Any:
        """Return an AWS client, as the account's root user."""
        return client_of(self.endpoint_url, service)

    def configure(self, issuer_url: str, guide: dict[str, Any]) -> None:
        """Set these settings on the authorizer, the routes and the functions, where Terraform has them."""
        apis, functions = self.client("apigatewayv2"), self.client("lambda")
        (api,) = (one["ApiId"] for one in apis.get_apis()["Items"])
        (authorizer,) = (one["AuthorizerId"] for one in apis.get_authorizers(ApiId=api)["Items"])
        token = {"Issuer": issuer_url, "Audience": guide["jwt_audience"]}
        apis.update_authorizer(ApiId=api, AuthorizerId=authorizer, JwtConfiguration=token)
        for route in apis.get_routes(ApiId=api)["Items"]:
            scopes = guide.get("jwt_scopes", [])
            apis.update_route(ApiId=api, RouteId=route["RouteId"], AuthorizationScopes=scopes)
        for function in functions.list_functions()["Functions"]:
            name, variables = function["FunctionName"], function["Environment"]["Variables"]
            changed = {**variables, **{ours: guide[setting] for setting, ours in CLAIMS.items()}}
            functions.update_function_configuration(FunctionName=name, Environment={"Variables": changed})
            version = functions.publish_version(FunctionName=name)["Version"]
            functions.update_alias(FunctionName=name, Name="live", FunctionVersion=version)


@dataclass(frozen=True)
class Login:
    """A login, and the service that accepts its tokens."""

    shape: Shape
    service: Service

    @property
    def issuer_url(self) -> str:
        """The local issuer's address, which ends in a slash if the provider's does."""
        return self.service.issuer.url + ("/" if str(self.shape.claims["iss"]).endswith("/") else "")

    def token(self, **others: object) -> str:
        """Return a token of this shape, with these claims in place or besides."""
        claims = {**self.shape.claims, "iss": self.issuer_url, **others}
        return self.service.issuer.token(claims.pop("sub"), **claims)

    def start(self, token: str, stream_id: str) -> httpx.Response:
        """Start a stream in UHD."""
        return httpx.post(
            f"{self.service.url}/stream/start",
            json={"streamId": stream_id, "groups": ["uhd"]},
            headers={"authorization": f"Bearer {token}"},
            timeout=30,
        )


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Yield a service that accepts a local issuer's tokens, and allows more streams in UHD than they do."""
    need_the_tools()
    directory = tmp_path_factory.mktemp("logins")
    with start_emulator(enforce_iam=True) as emulator:
        issuer, tokens = published_issuer(emulator, directory)
        _, url = stage(
            emulator,
            directory,
            **tokens | {"jwt_audience": '["none yet"]'},
            group_limits=json.dumps({"uhd": UHD_LIMIT + 1}),
        )
        yield Service(url, emulator.endpoint_url, issuer)


@pytest.fixture(scope="module", params=SHAPES, ids=lambda shape: shape.guide)
def login(request: pytest.FixtureRequest, service: Service) -> Login:
    """Return a login, for whose tokens the service is configured as the guide says."""
    login = Login(request.param, service)
    service.configure(login.issuer_url, guide_settings()[login.shape.guide])
    return login


def test_a_token_starts_its_users_streams_under_the_limits_in_it(login: Login) -> None:
    """The household is the user, the limit is the plan's, and its limit of a group is below the default."""
    token = login.token()
    started = login.start(token, "tv")
    assert (started.status_code, started.json().get("maxStreams")) == (200, LIMIT), started.text

    refused = login.start(token, "tablet")
    assert refused.status_code == 403
    assert refused.json()["limit"] == {"group": "uhd", "max": UHD_LIMIT}

    listed = httpx.get(
        f"{login.service.url}/stream",
        params={"userId": HOUSEHOLD},  # another user than the token's would be refused
        headers={"authorization": f"Bearer {token}"},
        timeout=30,
    )
    assert [stream["streamId"] for stream in listed.json()["streams"]] == ["tv"]


def test_an_issuer_that_differs_in_its_trailing_slash_is_refused(login: Login) -> None:
    """A token whose issuer differs only in the slash at its end is refused."""
    ours = login.issuer_url
    other = ours.removesuffix("/") if ours.endswith("/") else f"{ours}/"
    assert login.start(login.token(iss=other), "tv").status_code == 401


@pytest.mark.parametrize(
    "login", [shape for shape in SHAPES if shape.id_token], indirect=True, ids=lambda shape: shape.guide
)
def test_an_id_token_is_refused_where_the_guide_asks_for_access_tokens(login: Login) -> None:
    """The ID token of the same login, which may have no limit, is refused."""
    answer = login.start(login.token(**login.shape.id_token), "tv")
    assert answer.status_code == login.shape.id_token_status, answer.text
    assert "streamCount" not in answer.json()
