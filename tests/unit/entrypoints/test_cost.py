"""The cost of a request, counted rather than timed: a count is the same on every machine."""

import platform
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

LAMBDA_KERNEL = "4.14.77-70.59.amzn2.x86_64"

SHARE_OF_THE_BARE_SDK = 0.11
"""Functions entered, those of libraries and of C included: 0.083 to 0.105 when this was written."""

OWN_FUNCTIONS = {"start": 110, "heartbeat": 86, "end": 88}
"""The service's own functions that a request enters. Any increase needs a reason, given here.

A heartbeat is decided by rules, as starts and ends are: its stream may be in groups that it does not name. A
start has a list of bounds and reads the end of its login, and an end requires the groups that it gives back.
"""

named_calls = pytest.mark.parametrize("name", ["start", "heartbeat", "end"])


@pytest.fixture(autouse=True)
def _environment_of_a_function(monkeypatch: pytest.MonkeyPatch) -> None:
    """Set the variables that Lambda and Terraform set, and give the machine Lambda's names.

    The SDK checks each character of its user agent on every call, those of the kernel's name included.
    """
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(platform, "release", lambda: LAMBDA_KERNEL)
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")


@pytest.fixture
def profiler() -> Iterator[None]:
    """Restore the process's own profiler afterwards."""
    before = sys.getprofile()
    yield
    sys.setprofile(before)


def every_function(_: FrameType, event: str) -> bool:
    """Return whether the event enters a function of Python or C."""
    return event in {"call", "c_call"}


def own_function(frame: FrameType, event: str) -> bool:
    """Return whether the event enters the service's own function, other than a comprehension."""
    code = frame.f_code
    return event == "call" and code.co_filename.startswith(SOURCES) and not code.co_name.startswith("<")


def function_calls(call: Call, counts: Callable[[FrameType, str], bool] = every_function) -> int:
    """Return how many such functions one call enters, once everything is warm."""
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
    """Return a handler whose requests are answered by a stub of DynamoDB."""
    return Handlers(lean_client_over(StubTransport()), "counted").stream("counted", "play-1")[name]


@pytest.mark.usefixtures("profiler")
@named_calls
def test_a_request_does_a_fraction_of_the_bare_sdks_work(name: str) -> None:
    """Validation, policy, signature, answer and event together enter far fewer functions than the SDK."""
    bare = function_calls(bare_update(stub_bare_client()))

    assert function_calls(handler(name)) <= SHARE_OF_THE_BARE_SDK * bare


@pytest.mark.usefixtures("profiler")
@named_calls
def test_a_request_makes_the_exact_number_of_calls(name: str) -> None:
    """The exact count of a request's functions shows each repeated and each new step."""
    assert function_calls(handler(name), own_function) == OWN_FUNCTIONS[name]


class CountingTransport(StubTransport):
    """A transport that counts its requests."""

    def __init__(self) -> None:
        self.posts = 0

    def post(self, headers: Mapping[str, str], body: bytes) -> Response:
        """Answer."""
        self.posts += 1
        return super().post(headers, body)


@named_calls
def test_a_request_is_one_call_on_the_wire(name: str) -> None:
    """A request makes one call from event to answer, and none before or after."""
    transport = CountingTransport()

    Handlers(lean_client_over(transport), "counted").stream("counted", "play-1")[name]()

    assert transport.posts == 1
