"""The JavaScript client's own tests and types, checked by Node."""

import shutil
from pathlib import Path
from typing import Final

from tests.support.commands import skip_or_fail, succeed

CLIENT: Final = Path(__file__).parents[2] / "clients" / "js"
TYPESCRIPT: Final = CLIENT / "node_modules" / "typescript" / "bin" / "tsc"


def node(*arguments: str) -> None:
    """Run Node in the client's folder, and check that it reports nothing wrong."""
    binary = shutil.which("node")
    if binary is None:
        skip_or_fail("Node is not installed (20 or later): the JavaScript client's tests need it.")
    succeed(binary, *arguments, cwd=CLIENT)


def need_the_tools() -> None:
    """Skip the test if the tools that build and check the client are not installed."""
    if not TYPESCRIPT.exists():
        skip_or_fail("TypeScript and esbuild are not installed: `npm ci` in clients/js installs them.")


def test_the_javascript_client_passes_its_own_tests() -> None:
    """Node's runner finds no failure."""
    node("--test", *map(str, sorted((CLIENT / "test").glob("*.test.js"))))


def test_the_javascript_build_runs_on_televisions() -> None:
    """The classic script is ES2015, works in a window of Chromium 53, and is as small as the README says."""
    need_the_tools()
    node("--test", "test/built/script.test.js")


def test_the_javascript_client_has_the_types_that_it_declares() -> None:
    """The modules, checked strictly, match index.d.ts, and players may be written against it."""
    need_the_tools()
    node(str(TYPESCRIPT))
