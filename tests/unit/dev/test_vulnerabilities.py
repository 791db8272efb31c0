import json
import subprocess

import pytest

from dev import ROOT
from dev.scan import vulnerabilities

KNOWN = {"id": "GHSA-made-up", "fix_versions": ["2.0"]}
FOUND = {"dependencies": [{"name": "left-pad", "version": "1.0", "vulns": [KNOWN]}]}
NOTHING = {"dependencies": [{"name": "left-pad", "version": "2.0", "vulns": []}]}


def done(output: str, errors: str) -> subprocess.CompletedProcess[str]:
    """A run of pip-audit, which exits alike for a finding and a failure."""
    return subprocess.CompletedProcess([], 1, output, errors)


@pytest.mark.parametrize(
    ("run", "code", "told"),
    [
        (done(json.dumps(NOTHING), ""), 0, "1 dependencies audited, 0 findings."),
        (done(json.dumps(FOUND), "Found 1 known vulnerability"), 1, "left-pad 1.0: GHSA-made-up"),
        (done("", "requests.exceptions.ConnectionError: no route"), 0, "were not audited"),
        (done("", "error: no such option"), 1, "no such option"),
    ],
    ids=["clean", "found", "offline", "broken"],
)
def test_only_the_network_excuses_an_audit_that_told_nothing(
    run: subprocess.CompletedProcess[str],
    code: int,
    told: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A finding fails, and so does an audit that could not be made for any other reason."""
    assert vulnerabilities.verdict(run) == code
    assert told in "".join(capsys.readouterr())


def test_every_lock_is_audited_but_the_frozen_one() -> None:
    """A lock of what runs anywhere else than in a test on loopback is never left out."""
    locks = {lock.name for lock in (ROOT / "requirements").glob("*.txt")}
    assert locks - {lock.name for lock in vulnerabilities.LOCKS} == {"localstack.txt"}
