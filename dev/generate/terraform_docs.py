"""`make terraform-docs`: the tables of docs/terraform.md, generated from the module's variables and outputs.

Terraform's files are parsed by regular expressions that rely on `terraform fmt`: a block's closing brace
stands alone at the left.
"""

import re
from pathlib import Path
from typing import Final

from dev import ROOT
from dev.tools.command import words
from dev.tools.terraform import CONFIGURATION

PAGE: Final = ROOT / "docs" / "terraform.md"


def page() -> str:
    """Return the page as it should be: the present text with new tables."""
    text = PAGE.read_text(encoding="utf-8")
    inputs = [
        f"| `{name}` | `{_value(block, 'type')}` | {_default(block)} | {_description(block)} |"
        for name, block in _blocks("variable", CONFIGURATION / "variables.tf")
    ]
    outputs = [
        f"| `{name}` | {_description(block)} |"
        for name, block in _blocks("output", CONFIGURATION / "outputs.tf")
    ]
    text = _with_table(text, ["| input | type | default | meaning |", "|---|---|---|---|", *inputs])
    return _with_table(text, ["| output | meaning |", "|---|---|", *outputs])


def _blocks(kind: str, file: Path) -> list[tuple[str, str]]:
    """Return the blocks of a kind by name, in the file's order."""
    text = file.read_text(encoding="utf-8")
    return re.findall(rf'^{kind} "(\w+)" \{{\n(.*?)^\}}$', text, re.MULTILINE | re.DOTALL)


def _value(block: str, attribute: str) -> str | None:
    found = re.search(rf"^  {attribute} += (.+)$", block, re.MULTILINE)
    return found[1] if found else None


def _default(block: str) -> str:
    default = _value(block, "default")
    return "must be given" if default is None else f"`{default}`"


def _description(block: str) -> str:
    description = _value(block, "description") or ""
    return description.strip('"').replace('\\"', '"').replace("|", "\\|")


def _with_table(text: str, lines: list[str]) -> str:
    """Return the text with this table in place of the one that starts with the same line."""
    table = "".join(f"{line}\n" for line in lines)
    found = re.search(rf"^{re.escape(lines[0])}\n(?:\|.*\n)*", text, re.MULTILINE)
    if found is None:
        raise ValueError(f"{PAGE} has no table that starts with {lines[0]}")
    return text[: found.start()] + table + text[found.end() :]


if __name__ == "__main__":
    words("terraform-docs", __doc__, {})
    PAGE.write_text(page(), encoding="utf-8")
