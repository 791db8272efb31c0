"""The clients as their users get them: built, installed into a folder of their own, and with examples."""

import re
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Final

from tests.support import skip_or_fail

HERE: Final = Path(__file__).parent
CLIENTS: Final = HERE.parents[1] / "clients"


def examples(client: str, language: str) -> list[str]:
    """Return the blocks of this language in the README of a client."""
    text = (CLIENTS / client / "README.md").read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def python_client(folder: Path) -> Path:
    """Build its wheel and install it there; gives the player that plays by it."""
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    offline = ["--no-deps", "--no-build-isolation", "--no-index"]
    subprocess.run([*pip, *offline, "--target", str(folder), str(CLIENTS / "python")], check=True)
    return Path(shutil.copy(HERE / "player.py", folder))


def javascript_client(folder: Path) -> Path:
    """Pack it and unpack it there, as npm does; gives the player that plays by it."""
    npm = shutil.which("npm")
    if npm is None:
        skip_or_fail("npm is not installed: it packs the JavaScript client.")
    pack = [npm, "pack", "--silent", "--offline", "--pack-destination", str(folder)]
    subprocess.run(pack, cwd=CLIENTS / "js", check=True, stdout=subprocess.DEVNULL)
    (tarball,) = folder.glob("*.tgz")
    modules = folder / "node_modules"
    with tarfile.open(tarball) as archive:
        archive.extractall(modules, filter="data")
    (modules / "package").rename(modules / "stream-limiter-client")
    return Path(shutil.copy(HERE / "player.mjs", folder))
