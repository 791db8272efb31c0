import re
import subprocess
import sys
from pathlib import Path

import pytest

from dev import ROOT
from dev.tools.terraform import TESTED_PROVIDER
from tests.support.commands import outside_make, succeed

COMMANDS = ["deploy", "logs", "playback_key", "remote_state", "restore", "rollback", "smoke"]
MODULES = [
    *(f"dev.operate.{name}" for name in COMMANDS),
    *("dev.local.serve", "dev.local.stack"),
    "bench.capacity",
]
OTHERS = [
    *(f"dev.generate.{name}" for name in ("docs", "openapi", "picture", "terraform_docs")),
    *("bench", "bench.price", "dev.packaging.package", "dev.packaging.precompile"),
]
"""Modules that offer help and read no variable of their own, or describe it in a sentence."""
READ = re.compile(r"(?:os\.environ\.get|_given)\(\"([A-Z_]+)\"")


def run(module: str, *words: str, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    """Run a module as `make` does, without any variable of AWS."""
    return subprocess.run(
        [sys.executable, "-m", module, *words],
        cwd=cwd,
        env={"PYTHONPATH": f"{ROOT / 'src'}:{ROOT}", "COLUMNS": "100"},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("module", MODULES)
def test_help_names_every_variable_that_the_command_reads(module: str) -> None:
    """`--help` exits with 0 and lists each environment variable that the module reads."""
    source = (ROOT / f"{module.replace('.', '/')}.py").read_text(encoding="utf-8")

    done = run(module, "--help")

    assert (done.returncode, done.stderr) == (0, "")
    listed = set(re.findall(r"^  ([A-Z_]+) ", done.stdout.partition("variables:\n")[2], re.MULTILINE))
    assert set(READ.findall(source)) <= listed


@pytest.mark.parametrize("module", OTHERS)
def test_help_does_no_work(module: str, tmp_path: Path) -> None:
    """`--help` prints the help, exits with 0 and writes no file."""
    done = run(module, "--help", cwd=tmp_path)

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("usage: ")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("module", ["dev.operate.deploy", "dev.operate.remote_state", "dev.local.stack"])
def test_help_names_the_version_of_the_provider_where_terraform_runs(module: str) -> None:
    """The help of each command that installs the AWS provider names the variable and its default."""
    (meaning,) = re.findall(r"^  AWS_PROVIDER_VERSION +(.+)$", run(module, "--help").stdout, re.MULTILINE)

    assert TESTED_PROVIDER in meaning


@pytest.mark.parametrize("module", [*MODULES, *OTHERS[:4]])
def test_help_is_reached_by_make(module: str) -> None:
    """Each target that runs the module passes ARGS to it, so `ARGS=--help` shows its help."""
    recipes = re.findall(rf"-m {re.escape(module)}\b(.*)", (ROOT / "Makefile").read_text(encoding="utf-8"))

    assert recipes
    assert all(recipe.endswith(" $(ARGS)") for recipe in recipes)


@pytest.mark.parametrize(("target", "is_helped"), [("package", True), ("deploy", False)])
def test_the_zip_is_built_without_the_words_of_another_target(target: str, *, is_helped: bool) -> None:
    """ARGS reach the build of the zip if `make package` runs it, and not if another target needs the zip."""
    planned = succeed("make", "--dry-run", target, "ARGS=--help", env=outside_make())

    (build,) = (line for line in planned.splitlines() if "-m dev.packaging.package" in line)
    assert ("--help" in build) == is_helped
    assert "--help" in planned


def test_a_command_without_words_rejects_them() -> None:
    """A word that the command does not take is an error, and nothing is done."""
    done = run("dev.operate.rollback", "prod")

    assert done.returncode == 2
    assert "unrecognized arguments: prod" in done.stderr


@pytest.mark.parametrize(
    ("module", "targets"), [("dev.operate.deploy", "deploy|undeploy"), ("dev.local.stack", "up|down")]
)
def test_a_program_of_two_targets_takes_no_other_word(module: str, targets: str) -> None:
    """The help of a program of two targets names both and offers no ARGS; another word is an error."""
    done = run(module, targets.partition("|")[2], "--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"usage: make {targets} [VARIABLE=value …]\n")
    assert "ARGS" not in done.stdout

    for wrong in ([], ["prod"], [*targets.split("|")]):
        done = run(module, *wrong)
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr.startswith(f"usage: make {targets} ")
