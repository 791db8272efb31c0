"""The command line of the programs that `make` runs: their settings are environment variables."""

from argparse import ArgumentParser, RawDescriptionHelpFormatter
from collections.abc import Mapping


def words(name: str, about: str, variables: Mapping[str, str], *, takes: str = "") -> list[str]:
    """Return the words of the command line, or print the help and exit if `--help` is among them.

    Args:
        name: the target of `make`.
        about: the module's docstring.
        variables: the environment variables that the command reads, each with its meaning.
        takes: the meaning of the words; without it, none are accepted.
    """
    table = "\n".join(f"  {variable:<17} {meaning}" for variable, meaning in variables.items())
    parser = ArgumentParser(
        prog=f"make {name}",
        usage=f"make {name} [VARIABLE=value …]" + (' [ARGS="…"]' if takes else ""),
        description=about,
        epilog=f"variables:\n{table}",
        formatter_class=RawDescriptionHelpFormatter,
    )
    if takes:
        parser.add_argument("words", nargs="*", metavar="ARGS", help=takes)
    return list(vars(parser.parse_args()).get("words", []))
