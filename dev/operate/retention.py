"""Delete the versions of a stage's functions that a rollback no longer needs: the last step of `make deploy`.

With SnapStart, each version's snapshot costs money while the version exists: docs/performance.md.
"""

import os
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any, Final

from dev.operate.rollback import WITHDRAWN, Function, RollbackError, Version, previous_release, read
from dev.operate.stage import StackError

DEFAULT: Final = 3
MINIMUM: Final = 2
"""The live release and the previous one."""


def kept_releases() -> int:
    """Return the number of releases to keep: KEEP_VERSIONS (3).

    Raises:
        StackError: a rollback would have no release to return to.
    """
    given = os.environ.get("KEEP_VERSIONS") or str(DEFAULT)
    if not given.isdecimal() or int(given) < MINIMUM:
        raise StackError(f"KEEP_VERSIONS must be a whole number of at least {MINIMUM}, not {given!r}.")
    return int(given)


def delete_old_versions(client: Any, names: Iterable[str], keep: int) -> None:
    """Delete the versions of these functions that are older than the newest `keep` releases."""
    for function, version in outdated([read(client, name) for name in names], keep):
        number = str(version.number)
        if number in function.withdrawn:  # Lambda deletes no version that has an alias
            client.delete_alias(FunctionName=function.name, Name=f"{WITHDRAWN}{number}")
        client.delete_function(FunctionName=function.name, Qualifier=number)
        print(f"{function.name}: deleted version {number}")


def outdated(functions: Sequence[Function], keep: int) -> list[tuple[Function, Version]]:
    """Return the versions to delete.

    The newest `keep` versions of each function stay, and so do the targets of the next `keep - 1` rollbacks,
    which are older if deployments failed halfway. Versions newer than the live one stay too, and versions
    with an alias other than the mark of a rollback.
    """
    needed = {
        (function.name, version.number) for function in functions for version in _newest(function, keep)
    }
    state = functions
    for _ in range(keep - 1):
        try:
            moved = {function.name: version for function, version in previous_release(state)}
        except RollbackError:
            break
        state = [replace(function, live=moved.get(function.name, function.live)) for function in state]
        needed |= {(function.name, function.live.number) for function in state}
    return [
        (function, version)
        for function in functions
        for version in function.versions
        if version.number < function.live.number
        and (function.name, version.number) not in needed
        and str(version.number) not in function.named
    ]


def _newest(function: Function, keep: int) -> list[Version]:
    """Return the live version and earlier ones that a rollback could return to, `keep` in all."""
    return [version for version in function.usable if version.number <= function.live.number][:keep]
