"""Find names in docstrings that the code does not have, such as the old name of a renamed attribute."""

import ast
import re
from collections.abc import Iterator

SECTION = re.compile(r"^(Attributes|Args):\n((?: {4}.*\n?|\n)+)", re.MULTILINE)
ENTRY = re.compile(r"^ {4}\*{0,2}(\w+):", re.MULTILINE)

Function = ast.FunctionDef | ast.AsyncFunctionDef


def unknown_names(text: str) -> Iterator[tuple[int, str]]:
    """Yield each name under `Attributes:` or `Args:` that is neither, with the line of its docstring."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ClassDef | Function):
            known = {"Attributes": _attributes(node), "Args": _parameters(node)}
            for section, entries in SECTION.findall(ast.get_docstring(node) or ""):
                for name in ENTRY.findall(entries):
                    if name not in known[section]:
                        yield node.body[0].lineno, name


def _attributes(node: ast.AST) -> set[str]:
    """Return the names that a class defines and those that its methods assign."""
    names = set()
    for inner in ast.walk(node):
        if isinstance(inner, Function):
            names.add(inner.name)
        elif isinstance(inner, ast.Name | ast.Attribute) and isinstance(inner.ctx, ast.Store):
            names.add(inner.id if isinstance(inner, ast.Name) else inner.attr)
    return names


def _parameters(node: ast.ClassDef | Function) -> set[str]:
    """Return the parameters of a function; those of a class are its constructor's, or its fields."""
    if isinstance(node, ast.ClassDef):
        constructors = (part for part in node.body if isinstance(part, Function) and part.name == "__init__")
        constructor = next(constructors, None)
        return _attributes(node) if constructor is None else _parameters(constructor)
    return {inner.arg for inner in ast.walk(node.args) if isinstance(inner, ast.arg)}
