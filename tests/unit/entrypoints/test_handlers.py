from dataclasses import fields
from datetime import timedelta
from typing import Any

import pytest

from domain.streams import Lease
from entrypoints.answer_models import StreamView
from testing.fakes import FakeClock, RecordingRepository
from tests.support.service import AT_LIMIT, NOTHING_OPEN, check_original_contract
from tests.unit.entrypoints.calls import (
    CALLS,
    EVENTS,
    ROUTES,
    Api,
    assert_problem,
    event,
    in_seconds,
    moment,
)


@pytest.mark.parametrize("path", sorted(EVENTS.glob("*.json")), ids=lambda path: path.stem)
def test_every_recorded_event_finds_its_route(path: Any, api: Api) -> None:
    """The events have payload format 2.0, belong to our routes, and none is bad input."""
    recorded = event(path.stem)

    assert recorded["version"] == "2.0"
    assert recorded["routeKey"] == recorded["requestContext"]["routeKey"]
    assert recorded["routeKey"] in ROUTES
    # A recorded playback token would be too old.
    expected = {401} if path.stem == "renewal" else {200, 403, 410}
    assert api.call(path.stem).status in expected


def test_the_eight_calls_of_the_original_contract(api: Api) -> None:
    """Four starts count to three and the fourth is refused, as are four ends, back to zero."""

    def call(name: str) -> tuple[int, dict[str, Any]]:
        answer = api.call(name)
        return answer.status, answer.body

    check_original_contract(call)


def test_an_ordinary_call_is_one_write(api: Api, repository: RecordingRepository) -> None:
    """A start, a heartbeat and an end each make one write."""
    for calls, name in enumerate(["start", "start_named", "heartbeat", "start_replacing", "end"], start=1):
        assert api.call(name).status == 200
        assert len(repository.writes) == calls


def test_curls_default_content_type_is_accepted(api: Api) -> None:
    """A start as `curl -d` sends it, called a form and base64-encoded by API Gateway, means the same."""
    assert api.call("start_form").body["streamCount"] == 1
    assert api.call("start").body["streamCount"] == 2


def test_a_base64_body_is_decoded(api: Api) -> None:
    """A body of an unknown type arrives in base64, and its text is read as UTF-8."""
    assert api.call("start_base64").body["streamCount"] == 1
    assert api.call("list", rawQueryString="userId=zo%C3%AB").body["streamCount"] == 1


def test_an_anonymous_start_is_only_counted(api: Api) -> None:
    """An anonymous start has no lease."""
    answer = api.call("start")

    assert answer.body == {"streamCount": 1, "maxStreams": 3}
    assert answer.headers == {"content-type": "application/json", "cache-control": "no-store"}


def test_a_named_start_returns_the_lease(api: Api, clock: FakeClock) -> None:
    """The answer has the name of the player's slot, its expiry and the pace of heartbeats."""
    answer = api.call("start_named")

    assert answer.status == 200
    assert moment(answer.body.pop("expiresAt")) == in_seconds(clock, 90)
    assert answer.body == {
        "streamCount": 1,
        "maxStreams": 3,
        "streamId": "play-1",
        "expiresInSeconds": 90,
        "heartbeatSeconds": 30,
    }


def test_the_heartbeat_interval_follows_the_settings() -> None:
    """With a lease of two seconds and no other setting, heartbeats are two thirds of a second apart."""
    answer = Api(LEASE_SECONDS="2").call("start_named")

    assert answer.body["expiresInSeconds"] == 2
    assert answer.body["heartbeatSeconds"] == pytest.approx(2 / 3)


def test_the_time_left_is_rounded_down() -> None:
    """The time left is never more than the player has, though its lease ends on a whole second."""
    answer = Api(clock=FakeClock(1_700_000_000.25)).call("start_named")

    assert moment(answer.body["expiresAt"]).timestamp() == 1_700_000_091
    assert answer.body["expiresInSeconds"] == 90


def test_a_repeated_named_start_is_harmless(api: Api) -> None:
    """A second start of the same name takes no second slot."""
    first, second = api.call("start_named"), api.call("start_named")

    assert first == second
    assert second.body["streamCount"] == 1


def test_a_heartbeat_extends_the_lease(api: Api, clock: FakeClock) -> None:
    """A heartbeat is answered like a start, except for the limit, which does not apply to it."""
    api.call("start_named")
    clock.advance(30)
    answer = api.call("heartbeat")

    assert answer.status == 200
    assert moment(answer.body.pop("expiresAt")) == in_seconds(clock, 90)
    assert answer.body == {
        "streamCount": 1,
        "streamId": "play-1",
        "expiresInSeconds": 90,
        "heartbeatSeconds": 30,
    }


def test_a_heartbeat_of_an_ended_stream_is_a_410(api: Api) -> None:
    """A heartbeat of a stream that ended elsewhere is a 410 with the stream's name."""
    api.call("start_named")
    api.call("end_named")
    answer = api.call("heartbeat")

    assert_problem(answer, 410, "stream_gone")
    assert answer.body["streamId"] == "play-1"


def test_a_displaced_stream_learns_the_device(api: Api) -> None:
    """The 410 has the reason, and the device as the newcomer named it."""
    old = {"streamId": "tv-1", "play": "load-1"}
    api.start("1", **old)
    api.start("1", streamId="phone-1", device="Ada's phone", replaces="tv-1")
    answer = api.heartbeat("1", **old)

    assert_problem(answer, 410, "stream_gone")
    shown = {name: answer.body[name] for name in ("streamId", "reason", "by")}
    assert shown == {"streamId": "tv-1", "reason": "replaced", "by": "Ada's phone"}


def test_an_unknown_reason_is_left_out(api: Api) -> None:
    """A 410 whose reason the state does not show has neither a reason nor a device."""
    answer = api.heartbeat("1", streamId="tv-1")

    assert_problem(answer, 410, "stream_gone")
    assert answer.body.keys().isdisjoint({"reason", "by"})


def test_a_replacing_start_takes_the_old_slot(api: Api) -> None:
    """The next episode takes the slot of the stream that it replaces, and the count is unchanged."""
    api.call("start_named")
    answer = api.call("start_replacing")
    listed = api.call("list")

    assert (answer.status, answer.body["streamId"], answer.body["streamCount"]) == (200, "play-2", 1)
    assert [stream["streamId"] for stream in listed.body["streams"]] == ["play-2"]


def test_ending_a_named_stream_twice_is_harmless(api: Api) -> None:
    """The answer has a member that says whether this call ended the stream."""
    api.call("start_named")

    assert api.call("end_named").body == {"streamCount": 0, "streamId": "play-1", "ended": True}
    again = api.call("end_named")
    assert (again.status, again.body) == (200, {"streamCount": 0, "streamId": "play-1", "ended": False})


def test_an_anonymous_end_returns_only_the_count(api: Api) -> None:
    """An anonymous end has no name, and one that finds no stream is a refusal instead."""
    api.call("start")

    assert api.call("end").body == {"streamCount": 0}


def test_an_anonymous_end_ends_no_named_stream(api: Api) -> None:
    """With named streams only, an anonymous end is a refusal that counts them."""
    api.call("start_named")
    answer = api.call("end")

    assert_problem(answer, 403, "no_active_stream")
    assert answer.body["message"] == NOTHING_OPEN
    assert answer.body["streamCount"] == 1


def test_a_refusal_lists_the_streams_that_hold_the_slots(api: Api, clock: FakeClock) -> None:
    """A refusal lists the streams that could be ended, oldest first, without another call."""
    api.call("start_named")
    started = in_seconds(clock, 0)
    clock.advance(1)
    api.start("1", streamId="play-2")
    api.call("start")
    answer = api.start("1", streamId="play-3")

    assert_problem(answer, 403, "limit_reached")
    assert answer.body["message"] == AT_LIMIT
    assert (answer.body["streamCount"], answer.body["anonymousCount"], answer.body["maxStreams"]) == (3, 1, 3)
    oldest, newest = answer.body["streams"]
    assert (oldest["streamId"], oldest["device"]) == ("play-1", "living room")
    assert moment(oldest["startedAt"]) == started
    assert moment(oldest["expiresAt"]) == started + timedelta(seconds=90)
    assert newest["streamId"] == "play-2"
    assert "device" not in newest


def test_a_refusal_does_not_list_anonymous_streams(api: Api) -> None:
    """A refusal does not list anonymous streams, which are only counted."""
    for _ in range(3):
        api.call("start")
    answer = api.call("start")

    assert (answer.body["streams"], answer.body["anonymousCount"]) == ([], 3)


def test_a_limit_of_zero_has_its_own_text() -> None:
    """The refusal under a limit of zero has its own text, which does not ask to end a stream."""
    answer = Api(MAX_STREAMS="0").call("start")

    assert_problem(answer, 403, "limit_reached")
    assert answer.body["message"] == "This user may not watch any stream."
    assert (answer.body["streamCount"], answer.body["maxStreams"]) == (0, 0)


def test_a_slot_is_freed_after_the_lease_and_the_grace(api: Api, clock: FakeClock) -> None:
    """Silent players hold their slots for a lease and the grace, and no longer."""
    for number in range(3):
        api.start("1", streamId=f"silent-{number}")
    clock.advance(91)
    assert api.call("start_named").status == 403
    clock.advance(1)
    answer = api.call("start_named")

    assert (answer.status, answer.body["streamCount"]) == (200, 1)


def test_a_list_shows_as_much_as_a_refusal(api: Api, clock: FakeClock) -> None:
    """The list has everything that a refusal has."""
    api.call("start_named")
    api.call("start")
    answer = api.call("list")

    assert answer.status == 200
    (stream,) = answer.body.pop("streams")
    assert moment(stream.pop("startedAt")) == in_seconds(clock, 0)
    assert moment(stream.pop("expiresAt")) == in_seconds(clock, 90)
    assert stream == {"streamId": "play-1", "device": "living room"}
    assert answer.body == {"streamCount": 2, "anonymousCount": 1, "maxStreams": 3}


def test_a_list_shows_every_public_field_of_a_lease() -> None:
    """A list shows every stored field of a stream except its nonce and the fields of a 410."""
    assert {*StreamView.model_fields, "play", "displaced"} == {field.name for field in fields(Lease)}


def test_a_list_of_an_unknown_user_is_empty(api: Api, repository: RecordingRepository) -> None:
    """The list of an unknown user is empty, and reading it writes nothing."""
    assert api.call("list").body == {"streamCount": 0, "anonymousCount": 0, "maxStreams": 3, "streams": []}
    assert repository.writes == []


def test_users_are_isolated(api: Api) -> None:
    """A user's streams are never another user's, even if the two ids look alike."""
    for user_id in ("zo\u00eb", "zoe\u0308", "zoe", "Zoe"):
        assert api.start(user_id).body["streamCount"] == 1


def test_bad_input_names_every_field(api: Api, repository: RecordingRepository) -> None:
    """A 400 names each wrong field and its fault, for people and for machines, and nothing is written."""
    answer = api.call("start", body='{"userId": 1, "colour": "red"}')

    assert_problem(answer, 400, "invalid_request")
    assert answer.body["message"] == "userId must be a string; colour is not a known field."
    assert answer.body["errors"] == [
        {"field": "userId", "detail": "userId must be a string"},
        {"field": "colour", "detail": "colour is not a known field"},
    ]
    assert repository.writes == []


@pytest.mark.parametrize("name", [name for name in CALLS if name != "list"])
def test_a_missing_body_is_bad_input_everywhere(name: str, api: Api, repository: RecordingRepository) -> None:
    """Every route that takes a body answers a missing one in the same words."""
    answer = api.call(name, body=None)

    assert_problem(answer, 400, "invalid_request")
    assert answer.body["message"] == "body must be a JSON object."
    assert repository.writes == []


def test_a_too_large_body_is_answered_with_the_limit(api: Api, repository: RecordingRepository) -> None:
    """The answer to a body that is too large has the largest size."""
    answer = api.call("start", body="[" * 100_000)

    assert_problem(answer, 413, "body_too_large")
    assert answer.body["message"] == "body must be at most 4096 bytes."
    assert repository.writes == []


@pytest.mark.parametrize(("name", "status"), [("start", 200), ("heartbeat", 410)])
def test_no_answer_is_cacheable(name: str, status: int, api: Api) -> None:
    """No answer may be cached, because a count is true for a moment only."""
    answer = api.call(name)

    assert (answer.status, answer.headers["cache-control"]) == (status, "no-store")
