"""The guides for logins are about the tokens that the tests mint."""

import json
import shutil
from typing import Any, Final

import pytest

from dev import ROOT
from tests.e2e.support.token_shapes import SHAPES, Shape, guide_code, guide_settings
from tests.support.commands import skip_or_fail, succeed

every_shape = pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.guide)


def test_each_guides_settings_are_deployed_by_a_test() -> None:
    """Each guide's settings are deployed by a test."""
    assert list(guide_settings()) == [shape.guide for shape in SHAPES]


@every_shape
def test_a_guides_issuer_and_audience_match_its_tokens(shape: Shape) -> None:
    """The issuer equals the token's to the letter; the audience is the token's, or else its client."""
    settings = guide_settings()[shape.guide]
    assert settings["jwt_issuer"] == shape.claims["iss"]
    audience = shape.claims["aud"] or shape.claims["client_id"]
    assert set(settings["jwt_audience"]) & set(audience if isinstance(audience, list) else [audience])


@every_shape
def test_a_guides_claims_are_in_its_tokens(shape: Shape) -> None:
    """The plan's limit, its limits of groups and the household have the names in the settings."""
    settings = guide_settings()[shape.guide]
    named = {settings[name] for name in ("limit_claim", "group_limits_claim", "user_claim")}
    assert len(named) == 3
    assert named <= set(shape.claims)


@every_shape
def test_a_guide_sets_only_existing_variables(shape: Shape) -> None:
    """Each setting of a guide is a variable of the Terraform."""
    variables = (ROOT / "terraform" / "variables.tf").read_text(encoding="utf-8")
    settings = guide_settings()[shape.guide]
    assert [name for name in settings if f'variable "{name}"' not in variables] == []


COGNITO_CALL: Final = """
const event = {request: {userAttributes: %s}};
console.log(JSON.stringify(
  (await handler(event)).response.claimsAndScopeOverrideDetails.accessTokenGeneration.claimsToAddOrOverride));
"""
AUTH0_CALL: Final = """
const added = {};
const api = {accessToken: {setCustomClaim: (name, value) => { added[name] = value ?? null; }}};
await exports.onExecutePostLogin({user: {app_metadata: %s}}, api);
console.log(JSON.stringify(added));
"""


def added(code: str, call: str, plan: dict[str, object]) -> dict[str, Any]:
    """Run a guide's function for a user with this plan, and return the claims that it adds."""
    node = shutil.which("node")
    if node is None:
        skip_or_fail("Node is not installed: it runs the functions of the guides.")
    script = "const exports = {};\n" + code.replace("export const", "const") + call % json.dumps(plan)
    claims: dict[str, Any] = json.loads(succeed(node, "--input-type=module", "--eval", script))
    return claims


@pytest.mark.parametrize(
    ("heading", "call", "prefix", "household"),
    [
        ("Amazon Cognito: access tokens", COGNITO_CALL, "custom:", "household"),
        ("Auth0", AUTH0_CALL, "", "account"),
    ],
)
def test_a_guides_function_adds_exactly_its_claims(
    heading: str, call: str, prefix: str, household: str
) -> None:
    """A guide's function adds the claims of a user's plan under the names in the settings, and no others."""
    settings = guide_settings()[heading]
    plan: dict[str, object] = {f"{prefix}max_streams": "4", f"{prefix}group_limits": "uhd=1"}
    limits = {settings["limit_claim"]: "4", settings["group_limits_claim"]: "uhd=1"}
    code = guide_code(heading, "js")

    assert added(code, call, {}) == {}
    assert added(code, call, plan) == limits
    with_household = {**plan, f"{prefix}{household}": "household-17"}
    assert added(code, call, with_household) == {**limits, settings["user_claim"]: "household-17"}
