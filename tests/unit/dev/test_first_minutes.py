"""The errors that a newcomer meets: one sentence says what is missing and what to do."""

import hashlib
import os
import re
import shutil
import socket
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from dev import ROOT
from dev.tools import environment
from tests.support.commands import outside_make, succeed


def python(root: Path, module: str, /, *arguments: str, **environment: str) -> str:
    """Run one of the commands for a newcomer, which must fail; return all that it prints."""
    run = subprocess.run(
        [sys.executable, "-m", module, *arguments],
        cwd=root,
        env={
            "PATH": os.environ["PATH"],
            "PYTHONPATH": f"{root / 'src'}{os.pathsep}{root}",
            "AWS_EC2_METADATA_DISABLED": "true",
            **environment,
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 1
    return (run.stdout + run.stderr).strip()


def copy(folder: Path) -> None:
    """Copy the code to a place where nothing is built, fetched or running."""
    for part in ("dev", "src"):
        shutil.copytree(ROOT / part, folder / part, ignore=shutil.ignore_patterns("__pycache__"))


def stack(tmp_path: Path, command: str, **environment: str) -> str:
    """Run a command about a stack without an AWS profile."""
    module = "dev.local.stack" if command == "up" else "dev.operate.deploy"
    return python(ROOT, module, command, HOME=str(tmp_path), **environment)


@contextmanager
def taken_port() -> Iterator[str]:
    """Return a port on which a program listens and never answers."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield str(listener.getsockname()[1])


def install(tmp_path: Path, python: Path) -> str:
    """Try to make the environments with this Python; return the output without make's own last line."""
    shutil.copy(ROOT / "Makefile", tmp_path)
    shutil.copytree(ROOT / "requirements", tmp_path / "requirements")
    run = subprocess.run(
        ["make", "install", f"PYTHON={python}"],
        cwd=tmp_path,
        env=outside_make(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode != 0
    assert not (tmp_path / ".venv").exists()
    return "".join(line for line in run.stderr.splitlines() if not line.startswith("make"))


def stand_in(tmp_path: Path, script: str) -> Path:
    """Return a Python that lacks something."""
    python = tmp_path / "python"
    python.write_text(f"#!/bin/sh\n{script}\n")
    python.chmod(0o755)
    return python


def test_a_missing_python_is_reported(tmp_path: Path) -> None:
    """A missing Python is an error with the two ways out."""
    assert install(tmp_path, tmp_path / "none") == (
        f"{tmp_path}/none is not installed: install Python 3.11 or newer, or name it with make PYTHON=…"
    )


def test_an_old_python_is_reported_with_the_required_version(tmp_path: Path) -> None:
    """An old Python is an error with the required version, before an environment is made with it."""
    old = stand_in(tmp_path, f'exec {sys.executable} -c "import sys; sys.version_info = (3, 10, 9)\n$2"')
    assert install(tmp_path, old) == (
        f"Python 3.11 or newer is needed, and {old} is 3.10: name another with make PYTHON=…"
    )


def test_a_python_that_cannot_make_environments_is_reported(tmp_path: Path) -> None:
    """A Python that cannot make environments is an error: Debian has that part in a separate package."""
    bare = stand_in(tmp_path, f'case "$2" in *ensurepip*) exit 1;; esac; exec {sys.executable} "$@"')
    assert install(tmp_path, bare) == (
        f"{bare} has no venv module: install it (Debian: apt-get install python3-venv), "
        "or name another Python with make PYTHON=…"
    )


def make_environment(tmp_path: Path, *, digest: str | None = None) -> subprocess.CompletedProcess[str]:
    """Make one of the environments of a package on this machine, by this digest of it."""
    shutil.copy(ROOT / "Makefile", tmp_path)
    copy(tmp_path)
    wheel = tmp_path / "tiny-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("tiny.py", "")
        archive.writestr("tiny-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: tiny\nVersion: 1.0\n")
        archive.writestr("tiny-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        archive.writestr("tiny-1.0.dist-info/RECORD", "")
    digest = digest or hashlib.sha256(wheel.read_bytes()).hexdigest()
    lock = tmp_path / "requirements" / "docs.txt"
    lock.parent.mkdir()
    lock.write_text(f"--no-index\n--find-links {tmp_path}\ntiny==1.0 --hash=sha256:{digest}\n")
    make = ["make", ".venv-docs/.installed", f"PYTHON={sys.executable}"]
    return subprocess.run(make, cwd=tmp_path, env=outside_make(), capture_output=True, text=True, check=False)


def test_an_environments_progress_is_printed(tmp_path: Path) -> None:
    """An environment's progress is printed before each silence and at the end, without pip's own output."""
    run = make_environment(tmp_path)
    assert run.returncode == 0, run.stderr
    begun, installing, ready = run.stdout.splitlines()
    assert begun == ".venv-docs: made of 1 packages, which requirements/docs.txt names …"
    assert installing == ".venv-docs: installing 1 packages …"
    assert re.fullmatch(r"\.venv-docs: ready after \d+ s", ready)
    assert list(tmp_path.glob(".venv-docs/lib/*/site-packages/tiny.py"))


def test_an_environment_that_cannot_be_made_shows_why(tmp_path: Path) -> None:
    """If an environment cannot be made, pip's output is shown, and the environment counts as missing."""
    run = make_environment(tmp_path, digest="0" * 64)
    assert run.returncode != 0
    assert "THESE PACKAGES DO NOT MATCH THE HASHES" in run.stderr
    assert "ready" not in run.stdout
    assert not (tmp_path / ".venv-docs" / ".installed").exists()


def test_progress_is_printed_on_a_slow_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a slow network a line every three seconds counts the packages so far of those needed here."""
    lines = [
        "Ignoring winloop: markers",
        "Collecting a==1",
        "  Downloading a.whl",
        "Processing b.whl",
        "Installing collected packages: a, b",
    ]
    ticks = iter([0, 1, 2, 3, 3, 4])
    monkeypatch.setattr(time, "monotonic", lambda: next(ticks))
    assert list(environment.progress(lines, pinned=3)) == ["1 of 2 packages", "installing 2 packages"]


def test_the_folder_is_printed_before_npm_runs(tmp_path: Path) -> None:
    """The folder is printed before npm begins, which prints nothing itself."""
    shutil.copy(ROOT / "Makefile", tmp_path)
    npm = tmp_path / "bin" / "npm"
    npm.parent.mkdir()
    npm.write_text("#!/bin/sh\nmkdir node_modules\n")
    npm.chmod(0o755)
    lock = tmp_path / "dev" / "local" / "page" / "package-lock.json"
    lock.parent.mkdir(parents=True)
    lock.touch()
    printed = succeed(
        *("make", "dev/local/page/node_modules/.installed"),
        cwd=tmp_path,
        env=outside_make() | {"PATH": f"{npm.parent}{os.pathsep}{os.environ['PATH']}"},
    )
    assert printed == "dev/local/page/node_modules: fetching the packages of package-lock.json …\n"


def test_make_run_reports_a_port_in_use() -> None:
    """`make run` reports a port in use before it starts anything."""
    with taken_port() as port:
        run = python(ROOT, "dev.local.serve", PORT=port)
    assert run == f"make run: port {port} cannot be used; choose another one with PORT=…"


def test_make_up_reports_a_port_in_use(tmp_path: Path) -> None:
    """`make up` reports a port in use by another program than an emulator, and applies nothing to that."""
    copy(tmp_path)
    with taken_port() as port:
        message = python(tmp_path, "dev.local.stack", "up", TERRAFORM="true", EMULATOR_PORT=port)
    assert message == f"Port {port} is in use by another program: choose another with EMULATOR_PORT=…."


@pytest.mark.parametrize("port", ["abc", "0", "-1", "65536", "4566.0"])
def test_make_up_reports_a_port_that_is_none(tmp_path: Path, port: str) -> None:
    """`make up` names the variable of a port that is not one, before anything is started."""
    message = stack(tmp_path, "up", TERRAFORM="true", EMULATOR_PORT=port)
    assert message == f"EMULATOR_PORT must be a whole number from 1 to 65535, not '{port}'."


@pytest.mark.parametrize("command", ["up", "deploy", "undeploy"])
def test_a_missing_terraform_is_reported_before_anything_is_started(tmp_path: Path, command: str) -> None:
    """A missing Terraform is reported before anything is started, with the variable to name another one."""
    message = stack(
        tmp_path,
        command,
        TERRAFORM="terraform-that-is-not-there",
        AWS_ACCESS_KEY_ID="k",
        AWS_SECRET_ACCESS_KEY="s",
        AWS_REGION="eu-west-1",
    )
    assert message == (
        "`terraform-that-is-not-there` is not installed: "
        "install Terraform 1.9 or later, or name it in TERRAFORM."
    )


def test_a_missing_package_is_reported(tmp_path: Path) -> None:
    """A missing package is reported with the command to make it, which `make deploy` runs automatically."""
    copy(tmp_path)
    message = python(
        tmp_path,
        "dev.operate.deploy",
        "deploy",
        TERRAFORM="true",
        AWS_ACCESS_KEY_ID="k",
        AWS_SECRET_ACCESS_KEY="s",
        AWS_REGION="eu-west-1",
    )
    assert message == "The package is missing: run `make package`."


@pytest.mark.parametrize(
    ("module", "sentence"),
    [
        (
            "dev.generate.docs",
            "make docs: npm is not installed, which fetches mermaid@11.4.1: install Node 20 or later.",
        ),
        ("dev.generate.picture", "Chromium is not installed (Debian: apt-get install chromium)."),
    ],
)
def test_a_missing_tool_is_reported(tmp_path: Path, module: str, sentence: str) -> None:
    """A missing tool is reported with the package to install."""
    copy(tmp_path)
    assert python(tmp_path, module, PATH="") == sentence
