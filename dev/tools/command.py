"""The command line of the programs that `make` runs: their settings are environment variables."""

from argparse import SUPPRESS, ArgumentParser, RawDescriptionHelpFormatter
from collections.abc import Collection, Mapping


def words(name: str, about: str, variables: Mapping[str, str], *, takes: str = "") -> list[str]:
    """Return the words of the command line, or print the help and exit if `--help` is among them.

    Args:
        name: the target of `make`.
        about: the module's docstring.
        variables: the environment variables that the command reads, each with its meaning.
        takes: the meaning of the words; without it, none are accepted.
    """
    parser = _parser(name, about, variables, more=' [ARGS="…"]' if takes else "")
    if takes:
        parser.add_argument("words", nargs="*", metavar="ARGS", help=takes)
    return list(vars(parser.parse_args()).get("words", []))


def target(targets: Collection[str], about: str, variables: Mapping[str, str]) -> str:
    """Return the one of these targets of `make` that runs the program: the only word of the command line.

    Print the help and exit if `--help` is there.
    """
    parser = _parser("|".join(targets), about, variables)
    parser.add_argument("target", choices=targets, help=SUPPRESS)
    return str(parser.parse_args().target)


def _parser(name: str, about: str, variables: Mapping[str, str], *, more: str = "") -> ArgumentParser:
    width = max(map(len, variables), default=0)
    table = "\n".join(f"  {variable:<{width}}  {meaning}" for variable, meaning in variables.items())
    return ArgumentParser(
        prog=f"make {name}",
        usage=f"make {name}{' [VARIABLE=value …]' if variables else ''}{more}",
        description=about,
        epilog=f"variables:\n{table}" if variables else None,
        formatter_class=RawDescriptionHelpFormatter,
    )
