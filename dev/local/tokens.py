"""`make token`: a token for a user of the stage that `make up AUTH=jwt` deployed."""

import sys
from collections.abc import Sequence
from typing import Final

from dev.emulators.local_stage import LocalStage
from dev.local.stack import issuer_of

USAGE: Final = """\
usage: make token ARGS="<userId> [<maxStreams>] [<claim>=<text> ...]"

The token's subject is <userId>. Other claims are strings, such as custom:household=smith, which is the
user if the stage was deployed with: make up AUTH=jwt USER_CLAIM=custom:household"""


def claims(arguments: Sequence[str]) -> dict[str, str]:
    """Return the claims that follow the subject.

    Raises:
        ValueError: more than one claim has no name, or a name is empty or repeated.
    """
    named = [argument if "=" in argument else f"maxStreams={argument}" for argument in arguments]
    pairs = [(name, text) for name, _, text in (one.partition("=") for one in named)]
    found = dict(pairs)
    if len(found) < len(pairs) or "" in found:
        raise ValueError("each claim needs a unique name")
    return found


def main(arguments: Sequence[str]) -> int:
    """Print it."""
    if {"-h", "--help"} & set(arguments):
        print(USAGE)
        return 0
    try:
        subject, others = arguments[0], claims(arguments[1:])
    except (IndexError, ValueError):
        print(USAGE, file=sys.stderr)
        return 2
    local = LocalStage.recorded()
    if local is None or local.auth != "jwt":
        print("Tokens are for `make up AUTH=jwt`.", file=sys.stderr)
        return 1
    print(issuer_of(local).token(subject, **others))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
