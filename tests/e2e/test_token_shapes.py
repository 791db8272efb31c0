"""Tokens as six logins mint them, at services that are deployed with the settings of their guides."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import httpx
import pytest

from dev.emulator import Emulator, start_emulator
from dev.issuer import Issuer
from tests.e2e.deployed import need_the_tools, stage
from tests.e2e.token_shapes import LIMIT, SHAPES, UHD_LIMIT, Shape, guide_settings
from tests.support import client_of

pytestmark = [pytest.mark.e2e, pytest.mark.long, pytest.mark.timeout(300)]

SETTINGS: Final = ("jwt_audience", "jwt_scopes", "limit_claim", "group_limits_claim")
"""What is deployed as the guide has it. The issuer is the local one, with the slash at its end if the guide's has one."""


@dataclass(frozen=True)
class Login:
    """A login, and the service that takes its tokens.

    Attributes:
        shape: of its tokens.
        issuer: signs them.
        url: where the service is.
    """

    shape: Shape
    issuer: Issuer
    url: str

    @property
    def issuer_url(self) -> str:
        """The local issuer's address, which ends as the provider's does."""
        return self.issuer.url + ("/" if str(self.shape.claims["iss"]).endswith("/") else "")

    def token(self, **others: object) -> str:
        """Return a token of this shape, with these claims in place or besides."""
        claims = {**self.shape.claims, "iss": self.issuer_url, **others}
        return self.issuer.token(claims.pop("sub"), **claims)

    def start(self, token: str, stream_id: str) -> httpx.Response:
        """Start a stream in UHD."""
        return httpx.post(
            f"{self.url}/stream/start",
            json={"streamId": stream_id, "groups": ["uhd"]},
            headers={"authorization": f"Bearer {token}"},
            timeout=30,
        )


@pytest.fixture(scope="module")
def emulator() -> Iterator[Emulator]:
    """An emulator for the services of all guides."""
    need_the_tools()
    with start_emulator(enforce_iam=True) as emulator:
        yield emulator


@pytest.fixture(scope="module")
def issuer(emulator: Emulator, tmp_path_factory: pytest.TempPathFactory) -> Issuer:
    """An issuer that the emulator finds."""
    issuer = Issuer.at(emulator.endpoint_url, tmp_path_factory.mktemp("issuer") / "issuer.pem")
    issuer.publish(client_of(emulator.endpoint_url, "s3"))
    return issuer


@pytest.fixture(scope="module", params=SHAPES, ids=lambda shape: shape.guide)
def login(
    request: pytest.FixtureRequest,
    emulator: Emulator,
    issuer: Issuer,
    tmp_path_factory: pytest.TempPathFactory,
) -> Login:
    """A login, whose service is deployed with the settings of its guide."""
    login = Login(request.param, issuer, "")
    documented: dict[str, Any] = guide_settings()[login.shape.guide]
    settings = {name: documented[name] for name in SETTINGS if name in documented}
    variables = {
        name: value if isinstance(value, str) else json.dumps(value) for name, value in settings.items()
    }
    _, url = stage(
        emulator,
        tmp_path_factory.mktemp("login"),
        auth="jwt",
        jwt_issuer=login.issuer_url,
        group_limits=json.dumps({"uhd": UHD_LIMIT + 1}),
        **variables,
    )
    return Login(login.shape, issuer, url)


def test_a_token_starts_its_users_streams_under_the_limits_in_it(login: Login) -> None:
    """The subject is the user, the limit is the plan's, and its limit of a group is below the default."""
    token = login.token()
    started = login.start(token, "tv")
    assert (started.status_code, started.json().get("maxStreams")) == (200, LIMIT), started.text

    refused = login.start(token, "tablet")
    assert refused.status_code == 403
    assert refused.json()["limit"] == {"group": "uhd", "max": UHD_LIMIT}

    listed = httpx.get(
        f"{login.url}/stream",
        params={"userId": login.shape.user},  # another user than the token's would be refused
        headers={"authorization": f"Bearer {token}"},
        timeout=30,
    )
    assert [stream["streamId"] for stream in listed.json()["streams"]] == ["tv"]


def test_an_issuer_that_differs_in_the_slash_at_its_end_is_refused(login: Login) -> None:
    """A token is refused whose issuer is right but for that slash."""
    other = login.issuer.url if login.issuer_url.endswith("/") else f"{login.issuer.url}/"
    assert login.start(login.token(iss=other), "tv").status_code == 401


@pytest.mark.parametrize(
    "login", [shape for shape in SHAPES if shape.id_token], indirect=True, ids=lambda shape: shape.guide
)
def test_an_id_token_is_refused_where_the_guide_asks_for_access_tokens(login: Login) -> None:
    """The ID token of the same login, which may have no limit, does not pass."""
    answer = login.start(login.token(**login.shape.id_token), "tv")
    assert answer.status_code == login.shape.id_token_status, answer.text
    assert "streamCount" not in answer.json()
