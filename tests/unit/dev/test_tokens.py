"""`make token`: the claims of a token."""

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from dev.emulators import local_stage
from dev.emulators.issuer import Issuer
from dev.emulators.local_stage import LocalStage
from dev.local import stack, tokens


@pytest.fixture
def record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Record a stage under `auth = jwt` that was brought up for households; signing needs no emulator."""
    monkeypatch.setattr(stack, "STATES", tmp_path)
    monkeypatch.setattr(local_stage, "STATES", tmp_path)
    monkeypatch.setattr(local_stage, "RECORD", tmp_path / "local.json")
    LocalStage(4566, None, "jwt", "custom:household").write()


def claims_of(token: str) -> dict[str, Any]:
    """Return a token's claims, without checking its signature."""
    read: dict[str, Any] = json.loads(base64.urlsafe_b64decode(token.split(".")[1] + "=="))
    return read


@pytest.mark.usefixtures("record")
@pytest.mark.parametrize(
    ("arguments", "claims"),
    [
        (["viewer-1"], {}),
        (["viewer-1", "5"], {"maxStreams": "5"}),
        (
            ["viewer-1", "5", "custom:household=smith"],
            {"maxStreams": "5", "custom:household": "smith"},
        ),
        (["viewer-1", "groupLimits=uhd=2,away=1"], {"groupLimits": "uhd=2,away=1"}),
        (
            ["a=b", "https://example.com/account=", "subject=x"],
            {"https://example.com/account": "", "subject": "x"},
        ),
    ],
)
def test_a_token_has_the_requested_claims(
    arguments: list[str], claims: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    """The first argument is the subject, one without a name the limit, and each other one a claim."""
    assert tokens.main(arguments) == 0
    shown = claims_of(capsys.readouterr().out)

    assert shown.pop("sub") == arguments[0]
    assert {name: shown[name] for name in shown.keys() - {"iss", "aud", "iat", "exp"}} == claims


@pytest.mark.parametrize(
    "arguments", [[], ["viewer-1", "5", "6"], ["viewer-1", "=x"], ["viewer-1", "a=1", "a=2"]]
)
def test_ambiguous_arguments_print_the_usage(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """Ambiguous arguments are answered with the usage, and no token is printed."""
    assert tokens.main(arguments) == 2
    output = capsys.readouterr()
    assert (output.out, output.err) == ("", f"{tokens.USAGE}\n")


def test_help_needs_no_stage(capsys: pytest.CaptureFixture[str]) -> None:
    """Help works without a stage, and shows how a claim is given."""
    assert tokens.main(["--help"]) == 0
    assert "custom:household=smith" in capsys.readouterr().out


@pytest.mark.usefixtures("record")
def test_a_stages_user_claim_is_remembered() -> None:
    """A later `make up` and `make down` apply the user claim of the first `make up`."""
    local = LocalStage.recorded()
    assert local is not None
    assert stack.stack_of(local).variables["user_claim"] == "custom:household"
    assert isinstance(stack.issuer_of(local), Issuer)
