"""`make token`: a token for a user of what `make up AUTH=jwt` brought up."""

import sys

from dev.stack import LocalStage


def main(arguments: list[str]) -> int:
    """Print it."""
    local = LocalStage.recorded()
    if local is None or local.auth != "jwt":
        print("Tokens are for `make up AUTH=jwt`.", file=sys.stderr)
        return 1
    if not 1 <= len(arguments) <= 2:  # noqa: PLR2004 - a user, and perhaps a limit
        print("usage: make token ARGS='<userId> [<maxStreams>]'", file=sys.stderr)
        return 2
    subject, *limit = arguments
    print(local.issuer().token(subject, **({"maxStreams": limit[0]} if limit else {})))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
