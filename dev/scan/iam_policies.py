"""`make scan`: cloudsplaining on the policies that Terraform renders with every feature enabled.

It runs in the scanners' environment. The provider is mocked: it creates nothing and needs no network.
"""

import json
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cloudsplaining.command.scan_policy_file import scan_policy

from dev.tools.terraform import (
    CONFIGURATION,
    TerraformError,
    binary,
    pin_provider,
    plugin_options,
    run_terraform,
)

RUNS = "tests/optional_features.tftest.hcl"
KINDS = (
    "PrivilegeEscalation",
    "DataExfiltration",
    "ResourceExposure",
    "ServiceWildcard",
    "CredentialsExposure",
    "InfrastructureModification",
)
TOO_PERMISSIVE = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": "dynamodb:UpdateItem", "Resource": "*"}],
}
"""A policy with which every working scanner finds fault."""


def rendered() -> dict[str, Any]:
    """Return every function's policy by run and address.

    Raises:
        TerraformError: Terraform is missing, or the runs fail.
    """
    with tempfile.TemporaryDirectory() as scratch:
        copy = Path(scratch) / "configuration"
        shutil.copytree(CONFIGURATION, copy)
        pin_provider(copy)
        run_terraform(copy, "init", "-backend=false", *plugin_options())
        messages = run_terraform(copy, "test", "-json", "-verbose", f"-filter={RUNS}")
    return {
        f"{message['@testrun']}: {resource['address']}": json.loads(resource["values"]["policy"])
        for message in map(json.loads, messages.splitlines())
        if message["type"] == "test_state"
        for resource in message["test_state"]["root_module"]["resources"]
        if resource["type"] == "aws_iam_role_policy"
    }


def findings(policy: Any) -> Iterator[str]:
    """Yield cloudsplaining's objections to a policy."""
    results = scan_policy(policy)
    for kind in KINDS:
        if found := results[kind]["findings"]:
            yield f"{kind}: {found}"


def main() -> int:
    """Scan the policies, and print the findings."""
    try:
        binary()
    except TerraformError as missing:
        print(f"The policies were not scanned: {missing}", file=sys.stderr)
        return int(os.environ.get("CI") == "true")
    try:
        policies = rendered()
    except TerraformError as failed:
        print(failed, file=sys.stderr)
        return 1
    if not policies or not list(findings(TOO_PERMISSIVE)):
        print("The scan found no policies, or no fault with a bad one: check this script.", file=sys.stderr)
        return 1
    found = [f"{name}: {finding}" for name, policy in policies.items() for finding in findings(policy)]
    print("\n".join([*found, f"{len(policies)} policies scanned, {len(found)} findings."]))
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main())
