import importlib
import pkgutil
from collections.abc import Iterator
from http import HTTPStatus

import pytest

import entrypoints
from domain.bounds import Bound
from domain.errors import (
    InvalidInput,
    LimitReached,
    NoActiveStream,
    Refusal,
    StateRefusal,
    StoreContended,
    StoreError,
    StoreFault,
    StoreThrottled,
    StoreUnavailable,
    StreamGone,
    StreamLimiterError,
    TokenRefused,
    TokensUnavailable,
    TooManyStarts,
)
from domain.streams import GoneReason, LiveStreams
from entrypoints.callers import (
    InvalidGroupLimitsClaim,
    InvalidLimitClaim,
    InvalidSubject,
    NotAllowed,
    OtherUser,
    Unauthenticated,
)
from entrypoints.http_request import BodyTooLarge, InvalidFields
from entrypoints.problems import FAILED, problem_for, rule_for
from entrypoints.settings import SettingsError

EXAMPLES: dict[type[Exception], Exception] = {
    type(example): example
    for example in (
        StreamLimiterError("s3cret"),
        InvalidInput("userId", "is required"),
        Refusal("s3cret"),
        StateRefusal("s3cret", LiveStreams()),
        LimitReached(Bound(3), 3, LiveStreams()),
        TooManyStarts(3, LiveStreams(), 9.2),
        TokensUnavailable("s3cret"),
        NoActiveStream(LiveStreams()),
        StreamGone("play-1"),
        TokenRefused("s3cret"),
        StoreError("s3cret"),
        StoreUnavailable("s3cret"),
        StoreThrottled("s3cret"),
        StoreContended("s3cret"),
        StoreFault("s3cret"),
        InvalidFields(InvalidInput("userId", "is required"), InvalidInput("device", "must not be blank")),
        BodyTooLarge("s3cret"),
        SettingsError("s3cret"),
        NotAllowed("s3cret"),
        Unauthenticated("s3cret"),
        InvalidSubject("custom:household"),
        OtherUser("custom:household"),
        InvalidLimitClaim("s3cret"),
        InvalidGroupLimitsClaim("s3cret"),
    )
}
STATUSES = {
    InvalidFields: 400,
    BodyTooLarge: 413,
    LimitReached: 403,
    TooManyStarts: 429,
    TokensUnavailable: 503,
    NoActiveStream: 403,
    StreamGone: 410,
    TokenRefused: 401,
    StoreUnavailable: 503,
    StoreThrottled: 503,
    StoreContended: 503,
    StoreFault: 500,
    SettingsError: 500,
    NotAllowed: 403,
    Unauthenticated: 403,
    InvalidSubject: 403,
    OtherUser: 403,
    InvalidLimitClaim: 403,
}


def kinds_of(root: type[Exception]) -> Iterator[type[Exception]]:
    """Return the error and all its subclasses that are ours."""
    yield root
    for kind in root.__subclasses__():
        if kind.__module__.startswith(("domain.", "adapters.", "entrypoints.")):
            yield from kinds_of(kind)


def errors_of_the_entrypoints() -> Iterator[type[Exception]]:
    """Return every error defined by a module of the entrypoints, except for the operator's command line."""
    for found in pkgutil.iter_modules(entrypoints.__path__, "entrypoints."):
        if found.name == "entrypoints.streamctl":
            continue  # it answers no request
        module = importlib.import_module(found.name)
        for value in vars(module).values():
            if (
                isinstance(value, type)
                and issubclass(value, Exception)
                and value.__module__ == module.__name__
            ):
                yield value


def test_the_examples_cover_every_error() -> None:
    """The examples here cover every kind of error that the service can raise."""
    assert {*kinds_of(StreamLimiterError), *errors_of_the_entrypoints()} == EXAMPLES.keys()


@pytest.mark.parametrize("error", EXAMPLES.values(), ids=lambda error: type(error).__name__)
def test_every_error_has_an_answer(error: Exception) -> None:
    """Each error has a whole problem, which shows nothing of the error's own text about the inside."""
    problem = problem_for(error, "request-1")

    assert problem.type == f"urn:stream-limiter:problem:{problem.code.replace('_', '-')}"
    assert problem.title
    assert problem.detail == problem.message
    assert problem.status == rule_for(error).status
    assert "s3cret" not in problem.to_json()


@pytest.mark.parametrize(("kind", "status"), STATUSES.items())
def test_every_kind_has_its_status(kind: type[Exception], status: int) -> None:
    """Each kind of error has the status of the contract."""
    assert problem_for(EXAMPLES[kind], "").status == status


@pytest.mark.parametrize("kind", [InvalidInput, InvalidFields, BodyTooLarge])
def test_bad_input_is_never_a_5xx(kind: type[Exception]) -> None:
    """Every kind of bad input is answered as bad, and without a time to retry."""
    assert 400 <= problem_for(EXAMPLES[kind], "").status < 500


@pytest.mark.parametrize("error", EXAMPLES.values(), ids=lambda error: type(error).__name__)
def test_only_our_own_faults_are_logged_as_failures(error: Exception) -> None:
    """A 5xx is logged as failed; of the rest, only problems that the operator must repair."""
    rule = rule_for(error)
    is_repairable = type(error) in {
        NotAllowed,
        Unauthenticated,
        InvalidLimitClaim,
        InvalidGroupLimitsClaim,
    }

    assert (rule.outcome == FAILED) is (rule.status >= HTTPStatus.INTERNAL_SERVER_ERROR or is_repairable)


@pytest.mark.parametrize("error", EXAMPLES.values(), ids=lambda error: type(error).__name__)
def test_only_opaque_answers_have_the_request_id(error: Exception) -> None:
    """Only an opaque answer has the request id, because the others explain themselves."""
    problem = problem_for(error, "request-1")

    assert problem.request_id == ("request-1" if problem.code == "internal_error" else None)


def test_each_reason_of_a_410_has_its_sentence() -> None:
    """Each reason has a sentence of its own, without the device, which has a member of its own."""
    problems = [
        problem_for(StreamGone("tv-1", reason, "Ada's phone"), "r1") for reason in (None, *GoneReason)
    ]

    assert len({problem.detail for problem in problems}) == len(GoneReason) + 1
    assert not any("Ada" in problem.detail for problem in problems)
    assert [problem.reason for problem in problems] == [None, *GoneReason]
    assert {problem.by for problem in problems} == {"Ada's phone"}


def test_each_code_means_one_thing() -> None:
    """A code determines the status, the title and the type."""
    rules = {rule_for(error) for error in EXAMPLES.values()}

    assert len({rule.code for rule in rules}) == len(rules)


def test_a_new_kind_is_answered_like_its_nearest_ancestor() -> None:
    """A new kind of error is answered like its nearest ancestor in the table."""

    class Offline(StoreUnavailable):
        pass

    class Elsewhere(StreamGone):
        pass

    assert rule_for(Offline()) is rule_for(StoreUnavailable())
    assert rule_for(Elsewhere("play-1")) is rule_for(StreamGone("play-1"))


def test_the_nearest_of_two_ancestors_wins() -> None:
    """With two ancestors in the table, Python's own order of ancestors decides."""

    class Both(StoreThrottled, StoreUnavailable):
        pass

    assert rule_for(Both()) is rule_for(StoreThrottled())


@pytest.mark.parametrize("error", [Exception(), KeyError("x"), RecursionError(), UnicodeError()])
def test_any_other_exception_is_an_opaque_500(error: Exception) -> None:
    """Every other exception is an opaque 500."""
    problem = problem_for(error, "request-1")

    assert (problem.status, problem.code, problem.request_id) == (500, "internal_error", "request-1")
