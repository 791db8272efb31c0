"""One version and one list of Python versions, wherever they are written; and the conditions of a release."""

import json
import re
import subprocess
import tomllib
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from dev import ROOT
from tests.support.commands import succeed

PROJECT: Final[dict[str, Any]] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))[
    "project"
]
CLIENT: Final[dict[str, Any]] = tomllib.loads(
    (ROOT / "clients" / "python" / "pyproject.toml").read_text(encoding="utf-8")
)["project"]


def pythons(project: dict[str, Any]) -> list[str]:
    """Return the versions of Python in a project's classifiers."""
    found = (
        re.fullmatch(r"Programming Language :: Python :: (3\.\d+)", name) for name in project["classifiers"]
    )
    return [match[1] for match in found if match]


PYTHONS: Final = pythons(PROJECT)

BUILDS: Final = [("release", "build"), ("publish", "build-js"), ("publish", "build-python")]
"""The workflows that publish, and their jobs that make what is published."""


def workflow(name: str) -> dict[Any, Any]:
    """Return a workflow; its key `on` is True, as YAML 1.1 has it."""
    parsed: dict[Any, Any] = yaml.safe_load(
        (ROOT / ".github" / "workflows" / f"{name}.yml").read_text(encoding="utf-8")
    )
    return parsed


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


def test_the_client_supports_the_same_pythons() -> None:
    """The Python client names the service's versions of Python, with which CI tests it too."""
    assert pythons(CLIENT) == PYTHONS
    assert CLIENT["requires-python"] == PROJECT["requires-python"]


@pytest.mark.parametrize("project", [PROJECT, CLIENT], ids=["service", "client"])
def test_the_licence_is_an_expression_with_its_file(project: dict[str, Any]) -> None:
    """The metadata name the licence as PEP 639 requires: an SPDX expression, and its file."""
    assert (project["license"], project["license-files"]) == ("MIT", ["LICENSE"])


def test_files_that_a_command_writes_are_marked_as_generated() -> None:
    """A review collapses the locks, the API's description and the plots, but no other kind of file."""
    files = succeed("git", "ls-files").splitlines()
    marked = succeed("git", "check-attr", "linguist-generated", "--", *files)
    generated = {line.partition(": ")[0] for line in marked.splitlines() if line.endswith(": set")}

    assert generated == {
        name
        for name in files
        if re.fullmatch(
            r"requirements/\w+\.txt|docs/openapi\.yaml|docs/plots/\w+\.svg|(.*/)?package-lock\.json", name
        )
    }


def test_ci_tests_each_supported_python(tmp_path: Path) -> None:
    """CI reads the versions of its matrix out of the project's classifiers."""
    (command,) = (step["run"] for step in workflow("ci")["jobs"]["versions"]["steps"] if "run" in step)
    output = tmp_path / "output"

    succeed("bash", "-c", command, env={"GITHUB_OUTPUT": str(output)})

    assert json.loads(output.read_text(encoding="utf-8").removeprefix("pythons=")) == PYTHONS


def test_each_change_must_pass_every_check() -> None:
    """CI's last job needs all others, among them the floor of coverage; each runs a target of `make`."""
    jobs = workflow("ci")["jobs"]
    checks = jobs["check"]["strategy"]["matrix"]["target"]
    targets = re.findall(r"^([a-z-]+):.*## ", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)

    assert set(jobs["passed"]["needs"]) == set(jobs) - {"passed"}
    assert {"lint", "scan", "coverage"} <= set(checks)
    assert {*checks, *workflow("nightly")["jobs"]["nightly"]["strategy"]["matrix"]["target"]} <= set(targets)


def test_ci_can_be_called_by_a_release() -> None:
    """A release can call CI, in a concurrency group of CI's own: in the caller's, both would wait forever."""
    ci = workflow("ci")

    assert "workflow_call" in ci[True]
    assert "github.workflow" not in ci["concurrency"]["group"]


@pytest.mark.parametrize(("name", "build"), BUILDS)
def test_a_release_needs_green_ci(name: str, build: str) -> None:
    """Each published file was built after CI had passed on its commit, and is published after its build."""
    jobs = workflow(name)["jobs"]

    assert jobs["ci"] == {"uses": "$/.github/workflows/ci.yml", "permissions": workflow("ci")["permissions"]}
    assert jobs[build]["needs"] == "ci"
    publishing = [job for job in jobs.values() if "id-token" in job.get("permissions", {})]
    assert {job["needs"] for job in publishing} == {build for found, build in BUILDS if found == name}


@pytest.mark.parametrize(("name", "build"), BUILDS)
@pytest.mark.parametrize("address", ["example.com", "code.example.org"])
def test_the_placeholder_is_not_published(name: str, build: str, address: str, tmp_path: Path) -> None:
    """A build for publishing fails while a file has the placeholder of the repository's address."""
    steps = workflow(name)["jobs"][build]["steps"]
    (command,) = (step["run"] for step in steps if "placeholder" in step.get("name", ""))
    (tmp_path / "package.json").write_text(f"https://{address}/stream-limiter.git", encoding="utf-8")
    (tmp_path / "workflow.yml").write_text(command, encoding="utf-8")
    shell = ("bash", "-e", "-o", "pipefail", "-c", command)

    assert subprocess.run(shell, cwd=tmp_path, check=False).returncode != 0  # not a repository yet
    succeed("git", "init", "--quiet", cwd=tmp_path)
    succeed("git", "add", ".", cwd=tmp_path)
    done = subprocess.run(shell, cwd=tmp_path, check=False, capture_output=True, text=True)
    assert (done.returncode == 0) == (address != "example.com"), done
    assert ("package.json" in done.stdout) == (address == "example.com")


@pytest.mark.parametrize(("name", "build"), BUILDS)
def test_a_release_has_a_day_in_the_changelog(name: str, build: str, tmp_path: Path) -> None:
    """A build for publishing fails while its changelog has no day for its version."""
    steps = workflow(name)["jobs"][build]["steps"]
    (command,) = (step["run"] for step in steps if "CHANGELOG" in step.get("run", ""))
    changelog = tmp_path / command.split()[-1]
    changelog.parent.mkdir(parents=True, exist_ok=True)
    tag = {"build": "v0.1.0", "build-js": "js-v0.1.0", "build-python": "python-v0.1.0"}[build]

    def is_released(heading: str) -> bool:
        changelog.write_text(f"# Changelog\n\n## {heading}\n", encoding="utf-8")
        shell = ("bash", "-e", "-c", command)
        return subprocess.run(shell, cwd=tmp_path, env={"GITHUB_REF_NAME": tag}, check=False).returncode == 0

    assert is_released("0.1.0 (2026-12-01)")
    assert not is_released("0.1.0 (not released yet)")
    assert not is_released("0.2.0 (2026-12-01)")


def test_a_release_has_the_attestation_of_its_files(tmp_path: Path) -> None:
    """The attestation of every file is among the files that the release uploads."""
    steps = workflow("release")["jobs"]["release"]["steps"]
    attest, attach, *_, upload = (
        step
        for step in steps
        if step.get("uses", "").startswith("actions/attest@") or "dist/" in step.get("run", "")
    )
    bundle = tmp_path / "attestation.json"
    bundle.write_text("a bundle", encoding="utf-8")
    (tmp_path / "dist").mkdir()
    env = {"BUNDLE": str(bundle), "GITHUB_REF_NAME": "v0.1.0"}
    succeed("bash", "-e", "-c", attach["run"], cwd=tmp_path, env=env)

    assert attest["with"] == {"subject-checksums": "dist/SHA256SUMS"}
    assert attach["env"] == {"BUNDLE": f"${{{{ steps.{attest['id']}.outputs.bundle-path }}}}"}
    (attached,) = (tmp_path / "dist").iterdir()
    assert attached.read_text(encoding="utf-8") == "a bundle"
    assert attached.name in (ROOT / "docs" / "release.md").read_text("utf-8").replace("<version>", "0.1.0")
    assert upload["run"].startswith("gh release create ")
    assert upload["run"].endswith(" dist/*")


def test_the_notes_of_a_release_are_its_part_of_the_changelog(tmp_path: Path) -> None:
    """The notes are the part about the version; each link leads to a file of the repository at the tag."""
    steps = workflow("release")["jobs"]["release"]["steps"]
    (command,) = (step["run"] for step in steps if "notes.md" in step.get("run", "") and "name" in step)
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8") + "\n## 0.0.9\n\n- Older.\n"
    (tmp_path / "CHANGELOG.md").write_text(changelog, encoding="utf-8")
    env = {"GITHUB_REF_NAME": f"v{PROJECT['version']}", "GITHUB_REPOSITORY": "o/r"}
    succeed("bash", "-e", "-c", command, cwd=tmp_path, env=env)
    notes = (tmp_path / "notes.md").read_text(encoding="utf-8")
    links = re.findall(r"\]\(([^)]+)\)", notes)
    at_the_tag = f"https://github.com/o/r/blob/v{PROJECT['version']}/"

    assert links
    assert [link for link in links if not link.startswith(at_the_tag)] == []
    paths = {link.removeprefix(at_the_tag).partition("#")[0] for link in links}
    assert [path for path in paths if not (ROOT / path).exists()] == []
    assert "Older." not in notes


def test_the_changelog_is_for_people_who_run_the_service() -> None:
    """Each entry links to the page about it; none is about the project's own folders."""
    entries = re.findall(
        r"^- .*(?:\n  .*)*", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE
    )

    assert entries
    assert [entry for entry in entries if "](docs/" not in entry and "](clients/" not in entry] == []
    assert [entry for entry in entries if re.search(r"`(bench|dev|proof|testing|tests)/", entry)] == []


def test_the_first_version_has_nothing_to_upgrade_from() -> None:
    """The oldest version of the changelog has only additions."""
    *_, oldest = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8").split("\n## ")

    assert re.findall(r"^### (.*)", oldest, re.MULTILINE) == ["Added"]


def test_the_published_python_client_is_the_tested_one() -> None:
    """The last step before the upload runs the client's tests on the uploaded wheel, not on its sources."""
    steps = workflow("publish")["jobs"]["build-python"]["steps"]
    *_, tested, uploaded = steps

    assert tested["env"]["PYTHON_CLIENT"] == uploaded["with"]["path"].rstrip("/")
    assert "pip install --no-deps --no-index dist/*.whl" in tested["run"]
    assert '-o "pythonpath=src ."' in tested["run"]
    clients = ROOT / "tests" / "clients"
    assert set(re.findall(r"tests/clients/(\w+)\.py", tested["run"])) == {
        file.stem
        for file in clients.glob("test_*.py")
        if re.search(
            r"stream_limiter_client import|python_client\(|python_package\(", file.read_text("utf-8")
        )
        and file.stem != "test_examples"
    }
