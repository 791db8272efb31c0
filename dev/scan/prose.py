"""Check the English of documents, docstrings, comments, descriptions and names against a list of words.

Docstrings must also name only attributes and parameters that exist.
"""

import ast
import io
import re
import subprocess
import sys
import tokenize
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from dev.scan.docstring_names import unknown_names

RULES = tomllib.loads(Path(__file__).with_name("prose.toml").read_text())
WORDS = [(re.compile(rf"\b(?:{words})\b", re.IGNORECASE), advice) for words, advice in RULES["words"].items()]
OPENING = re.compile(rf"(?:{'|'.join(RULES['openings']['words'])})\b")

# Files that other programs generate, or that quote the words.
NOT_OURS = {"dev/scan/prose.toml", "tests/unit/dev/test_prose.py", "package-lock.json", "docs/openapi.yaml"}
CONFIGURATION = {".tf", ".tfvars", ".hcl", ".toml", ".yml", ".yaml", "Makefile"}
SCRIPTS = {".js", ".mjs", ".ts", ".java", ".html", ".sh"}
READ_WHOLE = {".md"} | CONFIGURATION | SCRIPTS

# The definitions of Python, and the runs of Terraform's tests.
NAME = re.compile(r"^\s*(?:(?:async )?def|class|run) \"?(\w+)", re.MULTILINE)

# Python 3.12 and later split an f-string into tokens of its own.
PROSE_TOKENS = {tokenize.COMMENT, tokenize.STRING, getattr(tokenize, "FSTRING_MIDDLE", tokenize.STRING)}


class Line(NamedTuple):
    """A line of prose, with its number."""

    number: int
    text: str


def main() -> None:
    """Print each line that breaks a rule, and fail if there is one."""
    problems = [problem for path in _files() for problem in check(path)]
    print("\n".join(problems) or "No problem was found in the prose.")
    sys.exit(bool(problems))


def check(path: Path) -> list[str]:
    """Return the problems of one file, each as `path:line: sentence`."""
    text = path.read_text()
    lines = _python(text) if path.suffix == ".py" else _prose(path, text)
    problems = [
        f"{path}:{line.number}: {found[0]!r}: {advice}"
        for line in (*lines, *_names(text))
        for pattern, advice in WORDS
        if (found := pattern.search(line.text))
    ]
    if path.suffix == ".py":
        problems += [
            f"{path}:{line.number}: a docstring starts with {found[0]!r}: say what it does, or use a noun"
            for line in _docstrings(text)
            if (found := OPENING.match(line.text))
        ]
        problems += [
            f"{path}:{number}: a docstring documents {name!r}, which does not exist: use its present name"
            for number, name in unknown_names(text)
        ]
    return problems


def _files() -> list[Path]:
    """Return the tracked files that contain prose."""
    listed = subprocess.run(["git", "ls-files", "-z"], check=True, capture_output=True, text=True).stdout
    paths = (Path(name) for name in listed.split("\0") if name)
    return [
        path
        for path in paths
        if (path.suffix or path.name) in READ_WHOLE | {".py"} and not {str(path), path.name} & NOT_OURS
    ]


def _names(text: str) -> Iterator[Line]:
    """Yield the names that a file defines, each as a phrase."""
    for found in NAME.finditer(text):
        yield Line(text.count("\n", 0, found.start(1)) + 1, found[1].replace("_", " ").strip())


def _prose(path: Path, text: str) -> Iterator[Line]:
    """Yield the lines of a file; of a document, those outside its code blocks."""
    in_code = False
    for number, line in enumerate(text.splitlines(), start=1):
        if path.suffix == ".md" and line.lstrip().startswith("```"):
            in_code = not in_code
        elif not in_code:
            yield Line(number, line)


def _python(text: str) -> Iterator[Line]:
    """Yield the lines of a module's comments and strings."""
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type in PROSE_TOKENS:
            for offset, line in enumerate(token.string.splitlines()):
                yield Line(token.start[0] + offset, line)


def _docstrings(text: str) -> Iterator[Line]:
    """Yield each docstring, with the line that it starts on."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            docstring = ast.get_docstring(node)
            if docstring:
                yield Line(node.body[0].lineno, docstring)


if __name__ == "__main__":
    main()
