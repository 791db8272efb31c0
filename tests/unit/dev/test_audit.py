import json
import subprocess

import pytest

from dev import audit

KNOWN = {"id": "GHSA-made-up", "fix_versions": ["2.0"]}
FOUND = {"dependencies": [{"name": "left-pad", "version": "1.0", "vulns": [KNOWN]}]}
NOTHING = {"dependencies": [{"name": "left-pad", "version": "2.0", "vulns": []}]}


@pytest.mark.parametrize(
    ("output", "errors", "code", "told"),
    [
        (json.dumps(NOTHING), "", 0, "1 dependencies audited, 0 findings."),
        (json.dumps(FOUND), "Found 1 known vulnerability", 1, "left-pad 1.0: GHSA-made-up"),
        ("", "requests.exceptions.ConnectionError: no route", 0, "were not audited"),
        ("", "error: no such option", 1, "no such option"),
    ],
    ids=["clean", "found", "offline", "broken"],
)
def test_only_the_network_excuses_an_audit_that_told_nothing(
    output: str,
    errors: str,
    code: int,
    told: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A finding fails, and so does an audit that could not be made for any other reason."""
    monkeypatch.setattr(audit, "audit", lambda: subprocess.CompletedProcess([], 1, output, errors))

    assert audit.main() == code
    assert told in "".join(capsys.readouterr())
