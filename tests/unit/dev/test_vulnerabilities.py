import json
import subprocess

import pytest

from dev import ROOT
from dev.scan import vulnerabilities

KNOWN = {"id": "GHSA-made-up", "fix_versions": ["2.0"]}
FOUND = {"dependencies": [{"name": "left-pad", "version": "1.0", "vulns": [KNOWN]}]}
NOTHING = {"dependencies": [{"name": "left-pad", "version": "2.0", "vulns": []}]}


def done(output: str, errors: str) -> subprocess.CompletedProcess[str]:
    """Return a run of pip-audit, which exits alike for a finding and a failure."""
    return subprocess.CompletedProcess([], 1, output, errors)


@pytest.mark.parametrize(
    ("run", "code", "printed"),
    [
        (done(json.dumps(NOTHING), ""), 0, "1 dependencies audited, 0 findings."),
        (done(json.dumps(FOUND), "Found 1 known vulnerability"), 1, "left-pad 1.0: GHSA-made-up"),
        (done("", "requests.exceptions.ConnectionError: no route"), 0, "were not audited"),
        (done("", "error: no such option"), 1, "no such option"),
    ],
    ids=["clean", "found", "offline", "broken"],
)
def test_only_an_unreachable_network_excuses_an_audit(
    run: subprocess.CompletedProcess[str],
    code: int,
    printed: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Only an unreachable network excuses an audit; a finding or any other failure fails."""
    assert vulnerabilities.verdict(run) == code
    assert printed in "".join(capsys.readouterr())


def test_every_lock_except_the_frozen_one_is_audited() -> None:
    """Every lock is audited except the one of programs that only run in tests on loopback."""
    locks = {lock.name for lock in (ROOT / "requirements").glob("*.txt")}
    assert locks - {lock.name for lock in vulnerabilities.LOCKS} == {"localstack.txt"}
