"""The header `Idempotency-Key`: its rules, and when two calls are one."""

import pytest

from domain.errors import InvalidInput
from entrypoints.http_request import HttpRequest
from testing.fakes import RecordingRepository
from tests.unit.entrypoints.calls import Api, assert_problem, event


def test_starts_under_one_key_count_once(api: Api) -> None:
    """Two starts under one Idempotency-Key are one start."""
    answers = [api.call("start_repeatable") for _ in range(2)]

    assert [(answer.status, answer.body["streamCount"]) for answer in answers] == [(200, 1), (200, 1)]


def test_ends_under_one_key_count_once(api: Api) -> None:
    """Two ends under one Idempotency-Key are one end."""
    api.call("start")
    api.call("start")
    answers = [api.call("end_repeatable") for _ in range(2)]

    assert [(answer.status, answer.body["streamCount"]) for answer in answers] == [(200, 1), (200, 1)]


def test_a_start_and_an_end_under_one_key_are_two(api: Api) -> None:
    """An end under the key of a start is another call, so that one key can name a whole play."""
    assert api.call("start_repeatable").body["streamCount"] == 1
    assert api.call("end_repeatable").body["streamCount"] == 0


def test_one_key_of_two_users_is_two_requests(api: Api) -> None:
    """A key identifies a call of one user only."""
    assert api.call("start_repeatable").body["streamCount"] == 1
    assert api.call("start_repeatable", body='{"userId": "2"}').body["streamCount"] == 1
    assert api.call("list").body["streamCount"] == 1


@pytest.mark.parametrize("name", ["start", "start_named", "end", "end_named"])
def test_a_bad_key_changes_nothing(name: str, api: Api, repository: RecordingRepository) -> None:
    """A bad key is refused, not ignored, on named calls too, which need none."""
    answer = api.call(name, headers={"Idempotency-Key": "two words"})

    assert_problem(answer, 400, "invalid_request")
    assert [error["field"] for error in answer.body["errors"]] == ["Idempotency-Key"]
    assert repository.writes == []


@pytest.mark.parametrize("name", ["idempotency-key", "Idempotency-Key", "IDEMPOTENCY-KEY", "iDempotency-kEy"])
@pytest.mark.parametrize("key", ["1", "7e6f0c1a-90f1", '"quoted"', "!~", "x" * 255])
def test_the_idempotency_key_header_is_case_insensitive(name: str, key: str) -> None:
    """The header is found in any case, and its value is stored as a mark of one length."""
    found = HttpRequest(event("start", headers={name: key})).idempotency_key()

    assert found == HttpRequest(event("start", headers={"idempotency-key": key})).idempotency_key()
    assert found is not None
    assert len(found) == 22


def test_two_idempotency_keys_have_different_marks() -> None:
    """Two keys have different marks, however little they differ."""
    keys = ["1", "2", "a", "A", "x" * 254, "x" * 255]

    found = {HttpRequest(event("start", headers={"idempotency-key": key})).idempotency_key() for key in keys}

    assert len(found) == len(keys)


@pytest.mark.parametrize("key", ["", " ", "a b", " a", "a\n", "\t", "ë", "\x7f", "\x00", "x" * 256, "\ud800"])
def test_an_invalid_idempotency_key_is_refused(key: str) -> None:
    """A key that is empty, too long or not printable ASCII is refused by name, not ignored."""
    with pytest.raises(InvalidInput, match=r"^Idempotency-Key must be 1 to 255 printable ASCII"):
        HttpRequest(event("start", headers={"idempotency-key": key})).idempotency_key()


@pytest.mark.parametrize("headers", [None, {}, {"accept": "*/*"}, {"x-idempotency-key": "1"}])
def test_an_idempotency_key_is_optional(headers: dict[str, str] | None) -> None:
    """A call without the header has no key."""
    assert HttpRequest(event("start", headers=headers)).idempotency_key() is None
