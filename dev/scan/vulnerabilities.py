"""`make scan`: a check of all locked dependencies for known vulnerabilities, by pip-audit.

It runs in the scanners' environment and calls a service on the Internet; if that is unavailable, it says so.
"""

import json
import subprocess
import sys
from typing import Any

from dev import ROOT

NOT_AUDITED = "localstack.txt"
"""A lock of October 2025, as its LocalStack runs with nothing newer; used with test data only."""
LOCKS = sorted(lock for lock in (ROOT / "requirements").glob("*.txt") if lock.name != NOT_AUDITED)
ANSWER_TIMEOUT_SECONDS = 5
UNREACHABLE = ("requests.exceptions.", "Could not connect")


def audit() -> subprocess.CompletedProcess[str]:
    """Audit every package of every lock but one. If the service does not answer, the output is empty."""
    options = ["--format=json", "--progress-spinner=off", "--desc=off"]
    return subprocess.run(
        [
            *(sys.executable, "-m", "pip_audit", *options, f"--timeout={ANSWER_TIMEOUT_SECONDS}"),
            # OSV has PyPI's advisories and more. The locks are complete: nothing is resolved.
            *("--vulnerability-service=osv", "--no-deps", "--disable-pip"),
            *(f"--requirement={lock}" for lock in LOCKS),
        ],
        check=False,
        capture_output=True,
        text=True,
    )


def vulnerabilities(report: Any) -> list[str]:
    """Return a line for each known vulnerability."""
    return [
        f"{package['name']} {package['version']}: {known['id']}, fixed in {known['fix_versions']}"
        for package in report["dependencies"]
        for known in package.get("vulns", [])
    ]


def verdict(done: subprocess.CompletedProcess[str]) -> int:
    """Print the result of an audit. Only a finding, or a failure other than the network's, is an error."""
    if not done.stdout:
        if any(sign in done.stderr for sign in UNREACHABLE):
            print("The dependencies were not audited: the list of vulnerabilities is unavailable from here.")
            return 0
        print(done.stderr, file=sys.stderr)
        return 1
    report = json.loads(done.stdout)
    found = vulnerabilities(report)
    count = f"{len(report['dependencies'])} dependencies audited, {len(found)} findings."
    print("\n".join([*found, f"{count} Not audited: requirements/{NOT_AUDITED}."]))
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(verdict(audit()))
