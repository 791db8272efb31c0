"""The clients as their users install them: built, in a folder of their own, with their examples."""

import atexit
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from dev.emulators.dynamodb_local import java
from dev.tools.cache import CannotFetch
from tests.support.commands import skip_or_fail, succeed

HERE: Final = Path(__file__).parent
CLIENTS: Final = HERE.parents[1] / "clients"


GUIDE: Final = CLIENTS.parent / "docs" / "integrate.md"


def examples(client: str, language: str) -> list[str]:
    """Return the blocks of this language in the README of a client."""
    return blocks(CLIENTS / client / "README.md", language)


def blocks(document: Path, language: str) -> list[str]:
    """Return the blocks of this language in a document."""
    text = document.read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class PythonPackage:
    """The Python client's files as an index would have them."""

    sdist: Path
    wheel: Path


@cache
def python_package() -> PythonPackage:
    """Return those in the folder that `PYTHON_CLIENT` names, or build them once for all tests of the process.

    The wheel is built from the sdist.
    """
    if built := os.environ.get("PYTHON_CLIENT"):
        return _package_in(CLIENTS.parent / built)
    folder = Path(tempfile.mkdtemp(prefix="python-client-"))
    atexit.register(shutil.rmtree, folder)
    build = [sys.executable, "-m", "hatchling", "build", "--target", "sdist", "--directory", str(folder)]
    subprocess.run(build, cwd=CLIENTS / "python", check=True, stdout=subprocess.DEVNULL)
    (sdist,) = folder.iterdir()
    pip("wheel", "--no-build-isolation", "--wheel-dir", folder, sdist)
    return _package_in(folder)


def _package_in(folder: Path) -> PythonPackage:
    (sdist,) = folder.glob("*.tar.gz")
    (wheel,) = folder.glob("*.whl")
    return PythonPackage(sdist, wheel)


def pip(command: str, *arguments: str | Path) -> None:
    """Run it without a network."""
    quiet = ["--quiet", "--disable-pip-version-check"]
    offline = ["--no-deps", "--no-index"]
    subprocess.run([sys.executable, "-m", "pip", command, *quiet, *offline, *arguments], check=True)


def python_client(folder: Path) -> Path:
    """Install its wheel there; return the command of a player over it."""
    pip("install", "--target", folder, python_package().wheel)
    return Path(shutil.copy(HERE / "player.py", folder))


def javascript_package(folder: Path) -> Path:
    """Build and pack it there; return the file that npm installs.

    It is built in a copy, so that builds at the same time do not collide.
    """
    ours = CLIENTS / "js"
    if not (ours / "node_modules").exists():
        skip_or_fail("TypeScript and esbuild are not installed: `npm ci` in clients/js installs them.")
    copy = folder / "js"
    shutil.copytree(ours, copy, ignore=shutil.ignore_patterns("node_modules", "dist"))
    (copy / "node_modules").symlink_to(ours / "node_modules")
    return _packed(copy, folder)


def javascript_client(folder: Path) -> Path:
    """Pack it as it is and unpack it there, as npm does; return the command of a player over it."""
    modules = folder / "node_modules"
    with tarfile.open(_packed(CLIENTS / "js", folder, "--ignore-scripts")) as archive:
        archive.extractall(modules, filter="data")
    (modules / "package").rename(modules / "stream-limiter-client")
    return Path(shutil.copy(HERE / "player.mjs", folder))


def npm() -> str:
    """Return where npm is."""
    found = shutil.which("npm")
    if found is None:
        skip_or_fail("npm is not installed: it packs the JavaScript client.")
    return found


def _packed(client: Path, folder: Path, *options: str) -> Path:
    succeed(npm(), "pack", "--silent", "--offline", "--pack-destination", folder, *options, cwd=client)
    (tarball,) = folder.glob("*.tgz")
    return tarball


def java_home() -> Path:
    """Return where the JDK's commands are; without one the test is skipped."""
    try:
        java()
    except CannotFetch:
        skip_or_fail("Java is not installed: the Java client needs it.")
    compiler = shutil.which("javac")
    if compiler is None:
        skip_or_fail("javac is not installed (a JDK): it compiles the Java client.")
    return Path(compiler).parent


STRICTLY: Final = ("-Xlint:all,-options", "-Werror")  # -options: newer compilers warn of Java 8 as such


def java_client(folder: Path) -> Path:
    """Make its jar by the commands of its README, from a copy; return the jar."""
    home, copy = java_home(), folder / "client"
    shutil.copytree(CLIENTS / "java", copy, ignore=shutil.ignore_patterns("build"))
    (commands,) = examples("java", "sh")
    path = f"{home}{os.pathsep}{os.environ['PATH']}"
    succeed(*("bash", "-ec", commands), cwd=copy, env={"PATH": path, "JDK_JAVAC_OPTIONS": " ".join(STRICTLY)})
    (jar,) = copy.glob("build/*.jar")
    return jar


def java_program(folder: Path, jar: Path, *sources: Path) -> list[str]:
    """Compile a program over that jar; return the command that starts it, without the name of its class."""
    classes = folder / "program"
    level = ("--release", "8", "-encoding", "UTF-8")
    succeed(java_home() / "javac", *level, *STRICTLY, "-cp", jar, "-d", classes, *sources)
    quick = ("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xmx64m")
    return [java(), *quick, "-cp", f"{jar}{os.pathsep}{classes}"]
