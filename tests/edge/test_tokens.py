"""Every verifier decides one table of tokens alike: the edge in two engines, our own, and the recipes."""

import json
import os
import re
import shutil
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import pytest

from adapters.playback_keys import parse_keys
from adapters.playback_token import TokenInvalid
from dev import ROOT
from dev.emulators.edge import Edge, Refused
from tests.edge.tokens import EXPIRED, GOOD, INVALID, KEYS, NAMES, PATH, PATHS, Row, key_text, table
from tests.edge.verifier import TokenExpired, verify
from tests.support.commands import skip_or_fail, succeed
from tests.support.documented import rows as rows_of

FOLDER: Final = Path(__file__).parent
CONFIG: Final = {"mode": "enforce", "keys": {key.kid: key_text(key) for key in KEYS}, "paths": PATHS}
PLAYBACK_KEY: Final = ",".join(f"{key.kid}:{key_text(key)}" for key in KEYS)
DIFFERS: Final[Mapping[str, set[str]]] = {
    "cwt": {
        "another algorithm in its header alone",
        "bytes after it",
        "above one kilobyte",
        "a kid that no key has",
        "no kid",
    },
    "@eyevinn/cat": {
        "another algorithm: HMAC 256/64",
        "another algorithm: HMAC 384",
        "untagged",
        "above one kilobyte",
        "a prefix without its slash",
        "a prefix and a suffix",
    },
}
"""Tokens that a library accepts and the edge does not, or the reverse: the last table of docs/edge.md."""


@pytest.fixture(scope="module")
def rows() -> Mapping[str, Row]:
    """Return the table, as of now: the libraries use the machine's clock."""
    return table(int(time.time()))


def npm(*arguments: str, **run: Any) -> str:
    """Run Node in the folder of these tests, with what `npm ci` has installed there."""
    node = shutil.which("node")
    if node is None:
        skip_or_fail("Node is not installed (20 or later): the edge's tests need it.")
    if not (FOLDER / "node_modules").exists():
        skip_or_fail("The edge's tests need `npm ci` in tests/edge.")
    return succeed(node, *arguments, cwd=FOLDER, **run)


def recipe(language: str, contains: str) -> str:
    """Return the one block of docs/edge.md in this language that contains this text."""
    text = (ROOT / "docs" / "edge.md").read_text(encoding="utf-8")
    blocks = re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    (block,) = (block for block in blocks if contains in block)
    return str(block)


def test_the_function_uses_only_documented_features() -> None:
    """The function is small, its syntax tree has documented features alone, and the check finds others."""
    npm("--test", "documented.test.mjs")


@pytest.fixture(scope="module")
def in_node(rows: Mapping[str, Row], tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, str]:
    """Return what the function answers in Node."""
    requests = [
        {
            "method": "GET",
            "uri": row.path,
            "querystring": {"CAT": {"value": row.token}},
            "headers": {},
            "cookies": {},
        }
        for row in rows.values()
    ]
    cases = tmp_path_factory.mktemp("node") / "cases.json"
    cases.write_text(json.dumps({"config": CONFIG, "requests": requests}), encoding="utf-8")
    return dict(zip(rows, npm("node.mjs", str(cases)).split(), strict=True))


@pytest.fixture(scope="module")
def in_v8() -> Edge:
    """Return the function in V8."""
    return Edge(CONFIG)


@pytest.mark.parametrize("name", NAMES)
def test_the_edge_in_node(name: str, rows: Mapping[str, Row], in_node: Mapping[str, str]) -> None:
    """Node, which runs the very file, decides as the table says."""
    assert in_node[name] == rows[name].verdict


@pytest.mark.parametrize("name", NAMES)
def test_the_edge_in_v8(name: str, rows: Mapping[str, Row], in_v8: Edge) -> None:
    """V8 alone, as `make run` has it, decides as the table says."""
    assert verdict_of(in_v8, rows[name].path, rows[name].token) == rows[name].verdict


def verdict_of(edge: Edge, path: str, token: str) -> str:
    """Return why the edge refuses the request, or that it is good."""
    outcome = edge.handle("GET", path, {"CAT": token})
    return outcome.headers["x-playback"] if isinstance(outcome, Refused) else GOOD


@pytest.mark.parametrize("name", NAMES)
def test_our_own_verification_agrees_with_the_edge(name: str, rows: Mapping[str, Row]) -> None:
    """Our own verification follows the edge's rules; its caller compares path and groups."""
    assert own_verdict(rows[name]) == rows[name].verdict


def own_verdict(row: Row) -> str:
    """Return the result of `verify`, with the path and its groups compared."""
    try:
        claims = verify(row.token, KEYS, time.time())
    except TokenExpired:
        return EXPIRED
    except TokenInvalid as refusal:
        return PATH if "restriction of paths" in str(refusal) else INVALID
    has_groups = all(group in claims.groups for prefix, group in PATHS.items() if row.path.startswith(prefix))
    return GOOD if has_groups and row.path.startswith(claims.path_prefix or "/") else PATH


@pytest.fixture(scope="module")
def may_play() -> Callable[[str, str], bool]:
    """Return the recipe for Python, unchanged."""
    names: dict[str, Any] = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PLAYBACK_KEY", PLAYBACK_KEY)
        exec(recipe("python", "may_play"), names)  # noqa: S102 - what a reader would paste
    found: Callable[[str, str], bool] = names["may_play"]
    return found


@pytest.mark.parametrize("name", NAMES)
def test_the_recipe_for_python(
    name: str, rows: Mapping[str, Row], may_play: Callable[[str, str], bool]
) -> None:
    """An origin in Python admits the same tokens as the edge, except where the page says otherwise."""
    row = rows[name]
    assert may_play(row.token, row.path) is (row.verdict == GOOD) ^ (name in DIFFERS["cwt"])


@pytest.fixture(scope="module")
def recipe_in_node(rows: Mapping[str, Row]) -> Mapping[str, bool]:
    """Return the answers of the recipe for Node, unchanged."""
    # The library leaves a promise of its own unhandled where an expiry is text; a server would log it.
    script = f"""
{recipe("js", "mayPlay")}
process.on('unhandledRejection', () => {{}});
const rows = JSON.parse(process.env.ROWS);
console.log(JSON.stringify(await Promise.all(rows.map(([token, path]) => mayPlay(token, path)))));
"""
    asked = json.dumps([(row.token, row.path) for row in rows.values()])
    environment = {**os.environ, "PLAYBACK_KEY": PLAYBACK_KEY, "ROWS": asked}
    output = npm("--input-type=module", "--eval", script, env=environment)
    return dict(zip(rows, json.loads(output), strict=True))


@pytest.mark.parametrize("name", NAMES)
def test_the_recipe_for_node(name: str, rows: Mapping[str, Row], recipe_in_node: Mapping[str, bool]) -> None:
    """An origin in Node admits the same tokens as the edge, except where the page says otherwise."""
    assert recipe_in_node[name] is (rows[name].verdict == GOOD) ^ (name in DIFFERS["@eyevinn/cat"])


def test_the_pages_example_tokens_give_the_documented_results() -> None:
    """The edge and our own verification agree with the first column of the table."""
    tokens = [(verdict, token.strip("`")) for verdict, token in rows_of("edge.md", "result")]
    page = (ROOT / "docs" / "edge.md").read_text(encoding="utf-8")
    (known,) = keys = parse_keys(*re.findall(r"`(example:[\w-]+)`", page))
    edge = Edge({"mode": "enforce", "keys": {known.kid: key_text(known)}})
    assert [verdict for verdict, _ in tokens] == [GOOD, EXPIRED, INVALID, PATH]
    for verdict, token in tokens:
        assert verdict_of(edge, "/a.ts", token) == verdict
        assert verdict_of(edge, "/films/a.ts", token) == (GOOD if verdict == PATH else verdict)
        if verdict in (GOOD, PATH):
            assert verify(token, keys, time.time()).path_prefix == (None if verdict == GOOD else "/films/")


def test_the_cookie_for_native_hls_is_accepted(rows: Mapping[str, Row], in_v8: Edge) -> None:
    """The page's line sets the cookie that the edge looks for, for as long as the token is good."""
    token = rows["good"].token
    script = f"""
{recipe("js", "rememberToken").replace("export ", "")}
const document = {{}};
rememberToken({json.dumps(token)}, 300);
console.log(document.cookie);
"""
    cookie, *attributes = npm("--input-type=module", "--eval", script).strip().split("; ")
    name, _, value = cookie.partition("=")
    assert not isinstance(in_v8.handle("GET", "/a.ts", cookies={name: value}), Refused)
    assert {"Max-Age=300", "Path=/", "Secure"} <= set(attributes)
