"""`make scan`: whether a vulnerability is known of any locked dependency, by pip-audit.

Runs in the scanners' environment. It asks a service on the Internet: where that is out of reach, it says so.
"""

import json
import subprocess
import sys
from typing import Any

from dev import ROOT

NOT_AUDITED = "localstack.txt"
"""Of October 2025, as its LocalStack runs with nothing newer: with test data, while those tests last."""
LOCKS = sorted(lock for lock in (ROOT / "requirements").glob("*.txt") if lock.name != NOT_AUDITED)
ANSWERS_WITHIN_SECONDS = 5
OUT_OF_REACH = ("requests.exceptions.", "Could not connect")


def audit() -> subprocess.CompletedProcess[str]:
    """Ask about every package of every lock but one. Without an answer its output is empty."""
    options = ["--format=json", "--progress-spinner=off", "--desc=off"]
    return subprocess.run(
        [
            *(sys.executable, "-m", "pip_audit", *options, f"--timeout={ANSWERS_WITHIN_SECONDS}"),
            # OSV knows PyPI's advisories and more. The locks are complete: nothing is resolved.
            *("--vulnerability-service=osv", "--no-deps", "--disable-pip"),
            *(f"--requirement={lock}" for lock in LOCKS),
        ],
        check=False,
        capture_output=True,
        text=True,
    )


def vulnerabilities(report: Any) -> list[str]:
    """A line for each that is known."""
    return [
        f"{package['name']} {package['version']}: {known['id']}, mended in {known['fix_versions']}"
        for package in report["dependencies"]
        for known in package.get("vulns", [])
    ]


def verdict(done: subprocess.CompletedProcess[str]) -> int:
    """Tell what an audit came to. Only a finding, or a failure that is not the network's, fails."""
    if not done.stdout:
        if any(sign in done.stderr for sign in OUT_OF_REACH):
            print("The dependencies were not audited: the list of vulnerabilities is out of reach from here.")
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
