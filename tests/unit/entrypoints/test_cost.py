"""What a request costs, counted rather than timed: a count is the same on every machine."""

import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

import entrypoints
from adapters.aws.http_transport import Response
from bench.calls import (
    ENVIRONMENT,
    Call,
    Handlers,
    StubTransport,
    bare_update,
    lean_client_over,
    stub_bare_client,
)

SOURCES = str(Path(entrypoints.__file__).parents[1])
WARM_UP = 3

SHARE_OF_THE_BARE_SDK = 0.11
"""Functions entered, those of libraries and of C included: 0.083 to 0.105 when this was written."""

OWN_FUNCTIONS = {"start": 110, "heartbeat": 86, "end": 89}
"""The service's own functions that a request enters. Any increase needs a reason, given here.

A heartbeat is decided by rules, as a start is, and so is an end: its stream may be in groups that it
does not name. A start has a list of bounds, and an end requires the groups that it gives back.
"""

named_calls = pytest.mark.parametrize("name", ["start", "heartbeat", "end"])


@pytest.fixture(autouse=True)
def _environment_of_a_function(monkeypatch: pytest.MonkeyPatch) -> None:
    """What Lambda and Terraform set."""
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def profiler() -> Iterator[None]:
    """Whoever profiles this process goes on afterwards."""
    before = sys.getprofile()
    yield
    sys.setprofile(before)


def every_function(_: FrameType, event: str) -> bool:
    """Python's and C's."""
    return event in {"call", "c_call"}


def own_function(frame: FrameType, event: str) -> bool:
    """The service's own; comprehensions are functions in some versions of Python only."""
    code = frame.f_code
    return event == "call" and code.co_filename.startswith(SOURCES) and not code.co_name.startswith("<")


def function_calls(call: Call, counts: Callable[[FrameType, str], bool] = every_function) -> int:
    """How many such functions one call enters, once everything is warm."""
    for _ in range(WARM_UP):
        call()
    entered = 0

    def count(frame: FrameType, event: str, _: Any) -> None:
        nonlocal entered
        entered += counts(frame, event)

    sys.setprofile(count)
    call()
    sys.setprofile(None)
    return entered


def handler(name: str) -> Call:
    """A whole request that is answered by a stub of DynamoDB."""
    return Handlers(lean_client_over(StubTransport()), "counted").stream("counted", "play-1")[name]


@pytest.mark.usefixtures("profiler")
@named_calls
def test_a_whole_request_does_a_fraction_of_the_work_of_the_bare_sdk(name: str) -> None:
    """Validation, policy, signature, answer and event together enter far fewer functions than the SDK."""
    bare = function_calls(bare_update(stub_bare_client()))

    assert function_calls(handler(name)) <= SHARE_OF_THE_BARE_SDK * bare


@pytest.mark.usefixtures("profiler")
@named_calls
def test_a_request_does_nothing_twice(name: str) -> None:
    """Each step that is taken again, and each that is new, shows in a count that is exact."""
    assert function_calls(handler(name), own_function) <= OWN_FUNCTIONS[name]


class CountingTransport(StubTransport):
    """Counts what it carries."""

    def __init__(self) -> None:
        self.posts = 0

    def post(self, headers: Mapping[str, str], body: bytes) -> Response:
        """Answer."""
        self.posts += 1
        return super().post(headers, body)


@named_calls
def test_a_whole_request_is_one_call_on_the_wire(name: str) -> None:
    """From the event to the answer, and nothing before or after it."""
    transport = CountingTransport()

    Handlers(lean_client_over(transport), "counted").stream("counted", "play-1")[name]()

    assert transport.posts == 1
