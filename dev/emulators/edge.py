"""The edge on this machine: `edge/viewer-request.js` itself in V8, with a stand-in for CloudFront.

The stand-in is `dev/emulators/cloudfront.js`. In `tests/edge`, Node runs the function with the same stand-in.
"""

import json
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from py_mini_racer import MiniRacer

from dev import ROOT

FUNCTION: Final = ROOT / "edge" / "viewer-request.js"
STAND_IN: Final = ROOT / "dev" / "emulators" / "cloudfront.js"
IMPORT: Final = "import cf from 'cloudfront';\n"
ANSWER_TIMEOUT_SECONDS: Final = 5

Fields = Mapping[str, str | Sequence[str]]
"""Values by name; several if a name occurs more than once."""


@dataclass(frozen=True)
class Passed:
    """The request as the function passes it on, without its tokens."""

    uri: str
    query: dict[str, list[str]]
    headers: dict[str, list[str]]
    cookies: dict[str, list[str]]


@dataclass(frozen=True)
class Refused:
    """The response that the function returns instead of the origin."""

    status: int
    headers: dict[str, str]


@dataclass
class Edge:
    """One edge location, with the function and its KeyValueStore. Thread-safe; runs take turns.

    Args:
        config: the value `config` of the KeyValueStore, read at each request. A string is stored unchanged;
            None is a store without that value.
        clock: epoch seconds.
    """

    config: Mapping[str, Any] | str | None
    clock: Callable[[], float] = time.time
    log: list[str] = field(default_factory=list)
    """The lines that the function has logged, oldest first."""

    def __post_init__(self) -> None:
        """Load the function, like a deployment."""
        self._turn = threading.Lock()
        self._engine = MiniRacer()
        self._engine.eval(STAND_IN.read_text(encoding="utf-8"))
        self._engine.eval("const store = {}, log = []; const cf = cloudfront(store);")
        self._engine.eval("console.log = function (line) { log.push(line); };")
        self._engine.eval(function_source())

    def handle(
        self,
        method: str,
        path: str,
        query: Fields | None = None,
        headers: Fields | None = None,
        cookies: Fields | None = None,
    ) -> Passed | Refused:
        """Run the function, and return the request that it passes on or the response.

        Args:
            method: as in `GET`.
            path: as in the request line, percent-encoded.
            query: parameters by name.
            headers: by name in lower case, without `cookie`.
            cookies: by name.
        """
        event = {
            "version": "1.0",
            "context": {"eventType": "viewer-request"},
            "viewer": {"ip": "192.0.2.1"},
            "request": {
                "method": method,
                "uri": path,
                "querystring": _fields(query),
                "headers": _fields(headers),
                "cookies": _fields(cookies),
            },
        }
        with self._turn:
            outcome = self._run(event)
        if "statusCode" in outcome:
            return Refused(
                outcome["statusCode"], {name: one["value"] for name, one in outcome["headers"].items()}
            )
        return Passed(
            outcome["uri"],
            _values(outcome["querystring"]),
            _values(outcome["headers"]),
            _values(outcome["cookies"]),
        )

    def _run(self, event: Mapping[str, Any]) -> dict[str, Any]:
        config = self.config
        store = (
            {} if config is None else {"config": config if isinstance(config, str) else json.dumps(config)}
        )
        self._engine.eval(f"delete store.config; Object.assign(store, {json.dumps(store)});")
        # Date stands still during a run, as in CloudFront.
        self._engine.eval(f"Date.now = () => {int(self.clock() * 1000)}; log.length = 0;")
        running: Any = self._engine.eval(f"handler({json.dumps(event)}).then(JSON.stringify)")
        outcome: dict[str, Any] = json.loads(running.get(timeout=ANSWER_TIMEOUT_SECONDS))
        self.log.extend(json.loads(str(self._engine.eval("JSON.stringify(log)"))))
        return outcome


def function_source() -> str:
    """Return the function's code for an engine without modules, in which `cf` is a global."""
    source = FUNCTION.read_text(encoding="utf-8")
    if not source.startswith(IMPORT):
        raise ValueError(f"{FUNCTION.name} does not start with {IMPORT.strip()}")
    return "'use strict';\n" + source.removeprefix(IMPORT)


def _fields(fields: Fields | None) -> dict[str, Any]:
    structure: dict[str, Any] = {}
    for name, given in (fields or {}).items():
        values = [{"value": value} for value in ([given] if isinstance(given, str) else given)]
        structure[name] = values[0] | ({"multiValue": values} if len(values) > 1 else {})
    return structure


def _values(structure: Mapping[str, Any]) -> dict[str, list[str]]:
    return {name: [each["value"] for each in one.get("multiValue", [one])] for name, one in structure.items()}
