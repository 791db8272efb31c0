"""`ANONYMOUS`: whether a stream may start without a name."""

import json

import pytest

from domain.errors import StoreUnavailable
from testing.fakes import FailingRepository, RecordingRepository
from tests.unit.entrypoints.calls import Api, assert_problem
from tests.unit.entrypoints.test_callers import SIGNED, refusal, token

NAMELESS = [{}, {"streamId": None}]


@pytest.mark.parametrize("fields", NAMELESS)
@pytest.mark.parametrize("enforcement", ["enforce", "shadow"])
def test_an_anonymous_start_can_be_refused(
    fields: dict[str, None], enforcement: str, repository: RecordingRepository
) -> None:
    """A refused anonymous start is a 400 that names the field, in shadow mode too, and nothing is written."""
    answer = Api(repository, ANONYMOUS="refuse", ENFORCEMENT=enforcement).start("1", **fields)

    assert_problem(answer, 400, "invalid_request")
    assert answer.body["errors"] == [{"field": "streamId", "detail": "streamId is required"}]
    assert repository.writes == []


@pytest.mark.parametrize("fields", NAMELESS)
@pytest.mark.parametrize("variable", ["", "allow"])
def test_an_anonymous_start_is_allowed_by_default(fields: dict[str, None], variable: str) -> None:
    """Anonymous starts are allowed by default, because the predecessor's players know no names."""
    assert Api(ANONYMOUS=variable).start("1", **fields).body["streamCount"] == 1


def test_named_streams_are_unaffected() -> None:
    """Named streams start, are kept and end as before, and only other named ones hold their slots."""
    api = Api(ANONYMOUS="refuse", MAX_STREAMS="1")
    for _ in range(3):
        api.start("1")

    assert api.start("1", streamId="tv").status == 200
    assert api.heartbeat("1", streamId="tv").status == 200
    assert api.end("1", streamId="tv").body["ended"] is True


def test_anonymous_streams_can_be_ended(repository: RecordingRepository) -> None:
    """Anonymous streams from before the setting changed can be ended; an end with none left is a 403."""
    for _ in range(2):
        Api(repository).start("1")
    api = Api(repository, ANONYMOUS="refuse")

    assert [api.end("1").status for _ in range(3)] == [200, 200, 403]


def test_the_caller_is_checked_first() -> None:
    """A caller that may not act for the user receives that refusal alone."""
    body = json.dumps({"userId": "another"})
    strangers = {"jwt": (token(), "other_user"), "iam": (token(), "not_allowed")}

    for auth, (context, code) in strangers.items():
        answer = Api(AUTH=auth, ANONYMOUS="refuse").call("start", requestContext=context, body=body)
        assert refusal(answer) == (403, code)
    answer = Api(AUTH="iam", ANONYMOUS="refuse").call("start", requestContext=SIGNED, body=body)
    assert refusal(answer) == (400, "invalid_request")


def test_a_refused_anonymous_start_is_not_admitted_in_an_outage() -> None:
    """An unavailable store admits no anonymous start, because the request itself is refused."""
    api = Api(FailingRepository(StoreUnavailable("away")), ANONYMOUS="refuse", ON_STORE_FAILURE="open")

    assert refusal(api.start("1")) == (400, "invalid_request")
    assert api.start("1", streamId="tv").status == 200
