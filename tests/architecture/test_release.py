"""One version, and one list of Python versions, wherever they are written."""

import json
import re
import tomllib
from pathlib import Path
from typing import Any, Final

import yaml

from dev import ROOT
from tests.support.commands import succeed

PROJECT: Final[dict[str, Any]] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))[
    "project"
]
PYTHONS: Final = [
    found[1]
    for classifier in PROJECT["classifiers"]
    if (found := re.fullmatch(r"Programming Language :: Python :: (3\.\d+)", classifier))
]


def test_the_changelog_begins_with_the_version() -> None:
    """The first version of the changelog is the one in pyproject.toml."""
    headings = re.findall(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)

    assert headings[0] == PROJECT["version"]


def test_terraform_accepts_exactly_the_supported_pythons() -> None:
    """The runtimes that Terraform accepts are the versions of Python that the project names as supported."""
    variables = (ROOT / "terraform" / "variables.tf").read_text(encoding="utf-8")
    accepted = re.search(r"contains\(\[(.*)\], var\.runtime\)", variables)

    assert accepted
    assert re.findall(r"python([\d.]+)", accepted[1]) == PYTHONS


def test_the_oldest_supported_python_is_the_required_one() -> None:
    """`requires-python` names the first of the supported versions."""
    assert PROJECT["requires-python"] == f">={PYTHONS[0]}"


def test_ci_tests_each_supported_python(tmp_path: Path) -> None:
    """CI reads the versions of its matrix out of the project's classifiers."""
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8"))
    (command,) = (step["run"] for step in workflow["jobs"]["versions"]["steps"] if "run" in step)
    output = tmp_path / "output"

    succeed("bash", "-c", command, env={"GITHUB_OUTPUT": str(output)})

    assert json.loads(output.read_text(encoding="utf-8").removeprefix("pythons=")) == PYTHONS
