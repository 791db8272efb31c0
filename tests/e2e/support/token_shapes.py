"""Tokens as six logins mint them, and the settings that `docs/login.md` gives for each.

The claims are those of the providers' own examples where they publish one. Times are in the past: the local
issuer puts `iat` and `exp`.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from tests.support.documented import DOCS

LIMIT: Final = 4
UHD_LIMIT: Final = 1
HOUSEHOLD: Final = "household-17"


@dataclass(frozen=True)
class Shape:
    """The tokens of one login, under the heading that its guide has.

    Attributes:
        guide: the heading.
        source: where the provider documents the claims.
        claims: of the token that a player sends. Those of limits allow 4 streams, one of them in UHD.
        id_token: the differences in the ID token of the same login, where the guide is about access tokens.
        id_token_status: API Gateway's answer to that ID token.
    """

    guide: str
    source: str
    claims: Mapping[str, object]
    id_token: Mapping[str, object] = field(default_factory=dict)
    id_token_status: int = 401


def guide_settings() -> dict[str, dict[str, Any]]:
    """Return the Terraform variables that `docs/login.md` sets, by the heading that they stand under."""
    page = (DOCS / "login.md").read_text(encoding="utf-8")
    guides = re.findall(r"^## ([^\n]+)\n\n```hcl\n(.+?)^```", page, re.MULTILINE | re.DOTALL)
    return {
        heading: {
            name: json.loads(value)
            for name, value in re.findall(r'^(\w+) += (".*?"|\[.*?\])', block, re.MULTILINE)
        }
        for heading, block in guides
    }


def guide_code(heading: str, language: str) -> str:
    """Return the one block of code in this language under a heading of `docs/login.md`."""
    page = (DOCS / "login.md").read_text(encoding="utf-8")
    (section,) = re.findall(rf"^## {re.escape(heading)}\n(.+?)(?=^## )", page, re.MULTILINE | re.DOTALL)
    (block,) = re.findall(rf"^```{language}\n(.+?)^```", section, re.MULTILINE | re.DOTALL)
    return str(block)


def plan(limit: str, groups: str, household: str, value: object = LIMIT) -> dict[str, object]:
    """Return the claims of a plan under these names."""
    return {limit: value, groups: f"uhd={UHD_LIMIT}", household: HOUSEHOLD}


COGNITO: Final = {
    "sub": "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee",
    "cognito:groups": ["family"],
    "iss": "https://cognito-idp.us-west-2.amazonaws.com/us-west-2_example",
    "origin_jti": "d2fcf5a4-8618-417a-9a20-23b460c37a74",
    "event_id": "92979d5c-74ce-45c6-9083-f8efa5b2145e",
    "auth_time": 1733311963,
    "jti": "11fad042-eca9-4eba-b395-868bf5860ee3",
}
COGNITO_CLIENT: Final = "1example23456789"
USE: Final = "token_use"

SHAPES: Final = (
    Shape(
        "Amazon Cognito: access tokens",
        "https://docs.aws.amazon.com/cognito/latest/developerguide/amazon-cognito-user-pools-using-the-access-token.html",
        {
            **COGNITO,
            "aud": None,  # it has none
            "client_id": COGNITO_CLIENT,
            USE: "access",
            "scope": "aws.cognito.signin.user.admin",
            "version": 2,
            "username": "janedoe",
            **plan("maxStreams", "groupLimits", "household", str(LIMIT)),  # attributes are texts
        },
        {"aud": COGNITO_CLIENT, "client_id": None, "scope": None, USE: "id", "maxStreams": None},
        id_token_status=403,  # issuer and audience are right: the scope is missing
    ),
    Shape(
        "Amazon Cognito: ID tokens",
        "https://docs.aws.amazon.com/cognito/latest/developerguide/amazon-cognito-user-pools-using-the-id-token.html",
        {
            **COGNITO,
            "aud": COGNITO_CLIENT,
            USE: "id",
            "cognito:username": "janedoe",
            "email": "janedoe@example.com",
            "email_verified": True,
            **plan("custom:max_streams", "custom:group_limits", "custom:household", str(LIMIT)),
        },
    ),
    Shape(
        "Auth0",
        "https://auth0.com/docs/secure/tokens/access-tokens/access-token-profiles",
        {
            "iss": "https://my-domain.auth0.com/",
            "sub": "auth0|123456",
            "aud": ["https://example.com/streams-api", "https://my-domain.auth0.com/userinfo"],
            "azp": "my_client_id",
            "scope": "openid profile",
            **plan(*(f"https://example.com/{name}" for name in ("max_streams", "group_limits", "account"))),
        },
        {"aud": "my_client_id", "azp": None, "scope": None},
    ),
    Shape(
        "Okta",
        "https://developer.okta.com/docs/guides/customize-tokens-returned-from-okta/main/",
        {
            "ver": 1,
            "jti": "AT.bcNo4WsBA8QS81SOrrTxWbqMsO50lrFxlYK88DlAPiM",
            "iss": "https://example.okta.com/oauth2/default",
            "aud": "api://default",
            "cid": "0oaoesxtxmPf08QHk0h7",
            "uid": "00uixa271s6x7qt8I0h7",
            "scp": ["openid"],
            "sub": "joe.user@example.com",
            **plan("maxStreams", "groupLimits", "household"),
        },
        {"aud": "0oaoesxtxmPf08QHk0h7", "cid": None, "uid": None, "scp": None, "sub": "00uixa271s6x7qt8I0h7"},
    ),
    Shape(
        "Microsoft Entra ID",
        "https://learn.microsoft.com/en-us/entra/identity-platform/access-tokens",
        {
            "aud": "6e74172b-be56-4843-9ff4-e66a39bb12e3",
            "iss": "https://login.microsoftonline.com/72f988bf-86f1-41af-91ab-2d7cd011db47/v2.0",
            "nbf": 1537231048,
            "azp": "75dbe77f-10a3-4e59-85fd-8c127544f17c",
            "azpacr": "0",
            "name": "Abe Lincoln",
            "oid": "690222be-ff1a-4d56-abd1-7e4f7d38e474",
            "preferred_username": "abeli@example.com",
            "rh": "I",
            "scp": "access_as_user",
            "sub": "AAAAAAAAAAAAAAAAAAAAAIkzqFVrSaSaFHy782bbtaQ",
            "tid": "72f988bf-86f1-41af-91ab-2d7cd011db47",
            "uti": "fqiBqXLPj0eQa82S-IYFAA",
            "ver": "2.0",
            **plan("extn.maxStreams", "extn.groupLimits", "extn.household", str(LIMIT)),
        },
        {"aud": "75dbe77f-10a3-4e59-85fd-8c127544f17c", "azp": None, "scp": None},
    ),
    Shape(
        "Firebase Authentication",
        "https://cloud.google.com/api-gateway/docs/authenticating-users-firebase",
        {
            "iss": "https://securetoken.google.com/my-project",
            "aud": "my-project",
            "auth_time": 1733311963,
            "user_id": "aBcDeF12aBcDeF12aBcDeF12aBcD",
            "sub": "aBcDeF12aBcDeF12aBcDeF12aBcD",
            "email": "janedoe@example.com",
            "email_verified": False,
            "firebase": {"identities": {"email": ["janedoe@example.com"]}, "sign_in_provider": "password"},
            **plan("maxStreams", "groupLimits", "household"),
        },
    ),
    Shape(
        "Keycloak",
        "https://www.keycloak.org/docs/latest/server_admin/#audience-support",
        {
            "jti": "0d0a1a3c-0d3b-4a26-9f0c-6f1f4f3e6d21",
            "iss": "https://login.example.com/realms/tv",
            "aud": ["stream-limiter", "account"],
            "sub": "f8a31d5c-2f6e-4c0b-9d6e-3b1a7c5d9e10",
            "typ": "Bearer",
            "azp": "frontend-client",
            "sid": "8a6f0b7e-1d6e-4c93-8f4b-5d1e3f0a9b77",
            "acr": "1",
            "realm_access": {"roles": ["offline_access"]},
            "resource_access": {"account": {"roles": ["view-profile"]}},
            "scope": "openid profile",
            "preferred_username": "janedoe",
            **plan("maxStreams", "groupLimits", "household"),
        },
        {"aud": "frontend-client", "typ": "ID", "scope": None, "realm_access": None, "resource_access": None},
    ),
)
