"""`make docs`: the documentation's site in build/site, which needs no other host."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

from dev import ROOT
from dev.tools.cache import CannotFetch, cached_folder, npm_package
from dev.tools.command import words

MKDOCS: Final = ROOT / ".venv-docs" / "bin" / "mkdocs"
PAGES: Final = ROOT / "build" / "docs"
SITE: Final = ROOT / "build" / "site"
MERMAID: Final = "mermaid@11.4.1"
MERMAID_SHA256: Final = "ec7b61b391aaa24bf666fd20e48d0a626eeb4a95b95bc6b3016a122d7f0bc2af"
SCRIPT: Final = "mermaid.min.js"
PORT: Final = 8000
"""The port in the printed command that serves the site."""


def main() -> int:
    """Build the site; a broken link is an error."""
    try:
        script = cached_folder(f"mermaid/{MERMAID}", _fetch) / SCRIPT
    except CannotFetch as reason:
        print(f"make docs: {reason}", file=sys.stderr)
        return 1
    _gather()
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}  # the theme's advertisement
    build = [str(MKDOCS), "build", "--strict"]  # not --quiet: it would not count the warnings
    if code := subprocess.run(build, cwd=ROOT, env=environment, check=False).returncode:
        return code
    shutil.copy(script, SITE / "assets" / SCRIPT)
    print(f"http://localhost:{PORT} shows it: python3 -m http.server --bind 127.0.0.1 -d build/site {PORT}")
    print(f"file://{SITE / 'index.html'} needs no server, but has neither search nor the interactive API.")
    return 0


def _gather() -> None:
    """Copy the pages and the README of each client to where MkDocs expects them."""
    shutil.rmtree(PAGES, ignore_errors=True)
    shutil.copytree(ROOT / "docs", PAGES)
    (PAGES / "clients").mkdir()
    for readme in ROOT.glob("clients/*/README.md"):
        text = readme.read_text(encoding="utf-8").replace("](../../docs/", "](../")
        (PAGES / "clients" / f"{readme.parent.name}.md").write_text(text, encoding="utf-8")


def _fetch(folder: Path) -> None:
    """Extract the diagrams' script from its npm package."""
    with npm_package(MERMAID, MERMAID_SHA256) as archive:
        content = archive.extractfile(f"package/dist/{SCRIPT}")
        assert content is not None  # noqa: S101 - the pinned package has it
        (folder / SCRIPT).write_bytes(content.read())


if __name__ == "__main__":
    words("docs", __doc__, {})
    sys.exit(main())
