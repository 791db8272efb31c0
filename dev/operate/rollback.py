"""`make rollback`: the API calls the release before again, within seconds: no build, no Terraform.

A release is what one deployment made of every function: the same code under the same settings. The API
calls each function's alias `live`. A rollback moves the aliases, and marks the versions that it leaves as
withdrawn, so that no later rollback comes back to them.
"""

import contextlib
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from dev.operate.stage import FUNCTIONS, URL_FUNCTION, StackError, enter_stage, function_name

LIVE: Final = "live"  # as terraform/functions.tf has it
WITHDRAWN: Final = "withdrawn-"


class RollbackError(Exception):
    """There is nothing to go back to; the message is one sentence."""


@dataclass(frozen=True)
class Version:
    """A published version of a function.

    Attributes:
        number: counts up.
        published: when, in Lambda's own form, which sorts.
        release: what it has in common with the other functions' versions of the same deployment.
    """

    number: int
    published: str
    release: object


@dataclass(frozen=True)
class Function:
    """A function, its published versions, and the numbers of those that have aliases."""

    name: str
    live: Version
    versions: Sequence[Version]
    """Newest first."""
    withdrawn: frozenset[str] = frozenset()
    """Versions that were rolled back from."""
    named: frozenset[str] = frozenset()
    """Versions that have an alias, the marks of rollbacks aside."""

    @property
    def sound(self) -> list[Version]:
        """The versions without those that were withdrawn. One that was deployed again is live."""
        return [one for one in self.versions if one == self.live or str(one.number) not in self.withdrawn]

    def is_newer_than(self, version: Version) -> bool:
        """Return whether the function did not exist yet when that version of another one was published."""
        first = self.versions[-1]
        return first.number == 1 and first.release != version.release and first.published > version.published


def release_before(functions: Sequence[Function]) -> list[tuple[Function, Version]]:
    """Say which functions go back to which version.

    All go to one release, the newest before the one that is live. Where a deployment moved only some of the
    functions before it failed, only those go back. A function that is newer than that release stays as it is:
    what the API calls of it is not called by the others.

    Raises:
        RollbackError: there is none that every function has.
    """
    # One that has no version before its live one says nothing of the release before.
    with_past = [function for function in functions if function.live.number > 1]
    newest = max(with_past or functions, key=lambda function: function.live.published)

    def choices(function: Function) -> list[Version]:
        was_moved = function.live.release == newest.live.release
        last = function.live.number - 1 if was_moved else function.live.number
        return [one for one in function.sound if one.number <= last]

    candidates = (one for function in functions for one in choices(function))
    for candidate in sorted(candidates, key=lambda one: one.published, reverse=True):
        known = [function for function in functions if not function.is_newer_than(candidate)]
        chosen = [
            (function, one)
            for function in known
            for one in [one for one in choices(function) if one.release == candidate.release][:1]
        ]
        if len(chosen) == len(known):
            return [(function, one) for function, one in chosen if one != function.live]
    raise RollbackError(
        "There is no release before this one that all functions have: deploy an older commit."
    )


def read(client: Any, name: str) -> Function:
    """Read a function's versions and aliases from Lambda."""
    pages = client.get_paginator("list_aliases").paginate(FunctionName=name)
    aliases = {alias["Name"]: alias for page in pages for alias in page["Aliases"]}
    if LIVE not in aliases:
        raise RollbackError(f"{name} has no alias `{LIVE}`: deploy it first.")
    live_number = aliases[LIVE]["FunctionVersion"]
    withdrawn = (one["FunctionVersion"] for key, one in aliases.items() if key.startswith(WITHDRAWN))
    named = (
        version
        for key, one in aliases.items()
        if not key.startswith(WITHDRAWN)
        for version in (
            one["FunctionVersion"],
            *one.get("RoutingConfig", {}).get("AdditionalVersionWeights", {}),
        )
    )
    pages = client.get_paginator("list_versions_by_function").paginate(FunctionName=name)
    versions = [
        Version(
            int(version["Version"]),
            version["LastModified"],
            (version["CodeSha256"], _settings(name, version)),
        )
        for page in pages
        for version in page["Versions"]
        if version["Version"] != "$LATEST"
    ]
    versions.sort(key=lambda version: version.number, reverse=True)
    live = next(version for version in versions if str(version.number) == live_number)
    return Function(name, live, versions, frozenset(withdrawn), frozenset(named))


def _settings(name: str, version: Mapping[str, Any]) -> object:
    """Return what one deployment gives every function: settings, and whether there is a heartbeat URL.

    The URL itself is not told to its own function.
    """
    settings = dict(version.get("Environment", {}).get("Variables", {}))
    url = settings.pop("HEARTBEAT_URL", "")
    return settings, bool(url) or name.endswith(URL_FUNCTION)


def read_all(client: Any, stage: str) -> list[Function]:
    """Read every function of a stage."""
    functions = [read(client, function_name(stage, key)) for key in FUNCTIONS]
    with contextlib.suppress(client.exceptions.ResourceNotFoundException):  # without a heartbeat URL
        functions.append(read(client, function_name(stage, URL_FUNCTION)))
    return functions


def move(client: Any, function: Function, version: Version) -> None:
    """Make this version the one that the API calls. The description stands in Terraform's next plan."""
    left = function.live.number
    client.update_alias(
        FunctionName=function.name,
        Name=LIVE,
        FunctionVersion=str(version.number),
        Description=f"Rolled back from version {left}.",
    )
    # It is there where that version was withdrawn before, and deployed again.
    with contextlib.suppress(client.exceptions.ResourceConflictException):
        client.create_alias(FunctionName=function.name, Name=f"{WITHDRAWN}{left}", FunctionVersion=str(left))


def main() -> int:
    """Roll the stage back."""
    try:
        stage = enter_stage()
        client = boto3.client("lambda", region_name=os.environ.get("AWS_REGION"))
        functions = read_all(client, stage)
        for function, version in release_before(functions):
            move(client, function, version)
            print(f"{function.name}: version {function.live.number} -> {version.number}")
    except (StackError, RollbackError, BotoCoreError, ClientError) as error:
        print(error, file=sys.stderr)
        return 1
    print(
        "The next deployment ends this rollback, and its plan shows it: let it bring what mends the release."
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
