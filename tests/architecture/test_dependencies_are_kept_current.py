"""Each dependency, of whatever kind, is one that Dependabot watches."""

import re
import subprocess
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from tests.support.commands import outside_make, succeed

ROOT: Final = Path(__file__).parents[2]
GITHUB: Final = ROOT / ".github"

MANIFESTS: Final = {
    "github-actions": r"\.github/(workflows/[^/]+\.ya?ml|actions/.*/action\.ya?ml)",
    "npm": r"(.*/)?package-lock\.json",
    "pip": r"(.*/)?pyproject\.toml|(.*/)?requirements/[^/]+\.txt|(.*/)?requirements[^/]*\.txt",
    "terraform": r"(?!.*/tests/).*\.tf",
}
"""The files that name dependencies of each kind, by Dependabot's names."""


def files() -> list[str]:
    """Return every file of the repository, and those that would be added to it."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    return [name for name in listed.stdout.splitlines() if (ROOT / name).exists()]


def watched() -> dict[str, set[str]]:
    """Return the folders that Dependabot watches, by the kind of dependency."""
    settings: Any = yaml.safe_load((GITHUB / "dependabot.yml").read_text(encoding="utf-8"))
    folders: dict[str, set[str]] = {}
    for update in settings["updates"]:
        mine = folders.setdefault(update["package-ecosystem"], set())
        mine.update(update.get("directories") or [update["directory"]])
    return folders


def folder_of(name: str) -> str:
    """Return Dependabot's folder for a manifest; for a workflow it is the repository's root."""
    parent = Path(name).parent.as_posix()
    return "/" if parent in {".", ".github/workflows"} else f"/{parent}"


@pytest.mark.parametrize("kind", MANIFESTS)
def test_dependabot_watches_every_folder_with_dependencies(kind: str) -> None:
    """Dependabot watches exactly the folders that have dependencies."""
    manifests = [name for name in files() if re.fullmatch(MANIFESTS[kind], name)]

    assert watched()[kind] == {folder_of(name) for name in manifests}


def test_every_package_with_dependencies_has_a_lock() -> None:
    """Every package with dependencies has a lock; the entries of the JavaScript client have none."""
    packages = [name for name in files() if Path(name).name == "package.json"]
    asking = [name for name in packages if "ependencies" in (ROOT / name).read_text(encoding="utf-8")]

    assert asking
    assert [name for name in asking if not (ROOT / name).with_name("package-lock.json").exists()] == []


def test_every_action_is_pinned_to_a_commit_and_names_its_version() -> None:
    """A tag can be moved to other code, and Dependabot renews the commit and the version together."""
    pinned = r"[\w-]+/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+\b|\$/\.github/(actions/\w+|workflows/\w+\.yml)$"
    used = [
        step
        for manifest in GITHUB.glob("**/*.yml")
        for step in re.findall(r"uses: (.+)", manifest.read_text(encoding="utf-8"))
    ]

    assert used
    assert [step for step in used if not re.match(pinned, step)] == []


@pytest.mark.parametrize("option", ["--upgrade", "-U"])
def test_an_upgrade_is_as_patient_as_dependabot(option: str) -> None:
    """A locked uv upgrades the locks, and ignores releases that are too young for Dependabot."""
    settings: Any = yaml.safe_load((GITHUB / "dependabot.yml").read_text(encoding="utf-8"))
    (days,) = {update["cooldown"]["default-days"] for update in settings["updates"]}
    planned = succeed("make", "--dry-run", "lock", f"ARGS={option}", env=outside_make()).splitlines()
    resolutions = [command for command in planned if "uv pip compile" in command]

    assert len(resolutions) == len(list((ROOT / "requirements").glob("*.txt")))
    assert {command.partition(" pip ")[0] for command in resolutions} == {
        f'UV_EXCLUDE_NEWER="{days} days" .venv/bin/uv'
    }
    assert "\nuv==" in (ROOT / "requirements" / "dev.txt").read_text(encoding="utf-8")
