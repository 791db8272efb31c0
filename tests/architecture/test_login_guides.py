"""The guides for logins are about the tokens that the tests mint."""

import pytest

from dev import ROOT
from tests.e2e.token_shapes import SHAPES, Shape, guide_settings

every_shape = pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.guide)


def test_each_guide_has_a_shape() -> None:
    """No guide gives settings that no test deploys."""
    assert list(guide_settings()) == [shape.guide for shape in SHAPES]


@every_shape
def test_a_guide_names_issuer_and_audience_as_its_tokens_have_them(shape: Shape) -> None:
    """The issuer is equal to the letter, and the audience is the token's, or its client where it has none."""
    settings = guide_settings()[shape.guide]
    assert settings["jwt_issuer"] == shape.claims["iss"]
    audience = shape.claims["aud"] or shape.claims["client_id"]
    assert set(settings["jwt_audience"]) & set(audience if isinstance(audience, list) else [audience])


@every_shape
def test_a_guide_names_claims_that_its_tokens_have(shape: Shape) -> None:
    """The plan's limit, its limits of groups and the household stand under the names of the settings."""
    settings = guide_settings()[shape.guide]
    named = {settings[name] for name in ("limit_claim", "group_limits_claim", "user_claim")}
    assert len(named) == 3
    assert named <= set(shape.claims)


@every_shape
def test_a_guide_sets_variables_that_there_are(shape: Shape) -> None:
    """Each setting is a variable of the Terraform."""
    variables = (ROOT / "terraform" / "variables.tf").read_text(encoding="utf-8")
    settings = guide_settings()[shape.guide].keys() - {"user_claim"}
    assert [name for name in settings if f'variable "{name}"' not in variables] == []
