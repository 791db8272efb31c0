"""`ANONYMOUS`: whether a stream may be started without a name."""

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
    """It is a 400 that names the field, in the shadow too, and nothing is written."""
    answer = Api(repository, ANONYMOUS="refuse", ENFORCEMENT=enforcement).start("1", **fields)

    assert_problem(answer, 400, "invalid_request")
    assert answer.body["errors"] == [{"field": "streamId", "detail": "streamId is required"}]
    assert repository.writes == []


@pytest.mark.parametrize("fields", NAMELESS)
@pytest.mark.parametrize("variable", ["", "allow"])
def test_an_anonymous_start_is_allowed_by_default(fields: dict[str, None], variable: str) -> None:
    """Players of the predecessor know no names."""
    assert Api(ANONYMOUS=variable).start("1", **fields).body["streamCount"] == 1


def test_named_streams_go_on() -> None:
    """They start, are kept and end as before, and nothing holds their slots but other named ones."""
    api = Api(ANONYMOUS="refuse", MAX_STREAMS="1")
    for _ in range(3):
        api.start("1")

    assert api.start("1", streamId="tv").status == 200
    assert api.heartbeat("1", streamId="tv").status == 200
    assert api.end("1", streamId="tv").body["ended"] is True


def test_anonymous_streams_can_be_ended(repository: RecordingRepository) -> None:
    """Those that are there when the setting changes can be ended; an end with none left is a 403."""
    for _ in range(2):
        Api(repository).start("1")
    api = Api(repository, ANONYMOUS="refuse")

    assert [api.end("1").status for _ in range(3)] == [200, 200, 403]


def test_who_calls_is_asked_first() -> None:
    """A caller that may not speak for the user learns that alone."""
    body = json.dumps({"userId": "another"})
    strangers = {"jwt": (token(), "other_user"), "iam": (token(), "not_allowed")}

    for auth, (context, code) in strangers.items():
        answer = Api(AUTH=auth, ANONYMOUS="refuse").call("start", requestContext=context, body=body)
        assert refusal(answer) == (403, code)
    answer = Api(AUTH="iam", ANONYMOUS="refuse").call("start", requestContext=SIGNED, body=body)
    assert refusal(answer) == (400, "invalid_request")


def test_an_outage_admits_no_anonymous_start() -> None:
    """Failing open is about the count, and this is about the request."""
    api = Api(FailingRepository(StoreUnavailable("away")), ANONYMOUS="refuse", ON_STORE_FAILURE="open")

    assert refusal(api.start("1")) == (400, "invalid_request")
    assert api.start("1", streamId="tv").status == 200
