"""This version beside an earlier one, over items and requests that the earlier one has written."""

from collections.abc import Mapping
from dataclasses import replace
from itertools import product
from typing import Any, Final

import pytest

from adapters.aws.errors import ErrorAnswer
from adapters.dynamodb import items
from domain import audit
from domain.ports import Deadline
from domain.streams import Snapshot
from entrypoints.settings import Settings
from testing.fakes import FakeClock
from testing.simulated_dynamodb import SimulatedDynamoDb
from testing.stores import repository_over
from tests.unit.entrypoints.calls import Api, HttpAnswer
from tests.upgrade.stories import BEGIN, FIXTURES, Call, Recorded, Recording, recordings

RECORDINGS: Final = {
    f"{fixture.stem}-{recording.user_id}": recording
    for fixture in sorted(FIXTURES.glob("*.json"))
    for recording in recordings(fixture)
}
PLAYBACK_KEY: Final = {"PLAYBACK_KEY": f"k1:{'A' * 43}"}

every_recording = pytest.mark.parametrize("recording", RECORDINGS.values(), ids=RECORDINGS)
with_and_without_tokens = pytest.mark.parametrize(
    "added", [{}, PLAYBACK_KEY], ids=["as-it-was", "with-a-key"]
)


class ThisVersion:
    """This version's handlers for one user, over a store of its own.

    Args:
        user_id: the user.
        variables: the settings.
        item: the item that is there already.
        at: the time.
    """

    def __init__(
        self,
        user_id: str,
        variables: Mapping[str, str],
        item: Mapping[str, Any] | None = None,
        at: int = BEGIN,
    ) -> None:
        self.table = SimulatedDynamoDb()
        if item:
            self.table.items[user_id] = dict(item)
        self._user_id = user_id
        self._clock = FakeClock(at)
        self._repository = repository_over(self.table)
        self._policy = Settings.from_environment(variables).policy
        self._api = Api(self._repository, self._clock, None, **variables)

    @classmethod
    def after(cls, recording: Recording, added: Mapping[str, str]) -> "ThisVersion":
        """Return this version over the item that a recording has left, with these settings added."""
        return cls(recording.user_id, {**recording.variables, **added}, recording.item, recording.at)

    def serve(self, call: Call, at: int | None = None) -> HttpAnswer:
        """Return the answer to a call, which comes at this time."""
        if at is not None:
            self._clock.advance(at - self._clock.now())
        return self._api.call(call.name, **call.event(self._user_id))

    def end_all(self) -> list[int]:
        """End each stream by the player's own calls, and return the statuses."""
        state = self.state()
        named = [Call("end", {"streamId": name}) for name in state.leases]
        anonymous = [Call("end", {}, key=f"end-all-{place}") for place in range(state.anonymous.count)]
        return [self.serve(call).status for call in named + anonymous]

    def audit(self) -> audit.Finding | None:
        """Return what an audit finds wrong with the user."""
        return audit.examine(self.state(), self._policy, self._clock.now())

    def repair(self) -> bool:
        """Return whether an audit's repair has put the user in order."""
        deadline = Deadline.after(10, self._clock)
        return audit.repair(self._repository, self._user_id, self._policy, self._clock.now(), deadline)

    def state(self) -> Snapshot:
        """Return the user's state."""
        return self._repository.read(self._user_id, Deadline.after(10, self._clock))


def replay(table: SimulatedDynamoDb, recorded: Recorded) -> None:
    """Apply the requests of an earlier version, each of which must have its recorded result."""
    for request, lands in recorded.writes:
        try:
            table.update_item(request)
        except ErrorAnswer:
            assert not lands
        else:
            assert lands


def as_earlier_code_reads(state: Snapshot) -> Snapshot:
    """Return the state without what the recorded versions do not know."""
    leases = {name: replace(lease, displaced=()) for name, lease in state.leases.items()}
    return replace(state, leases=leases)


@with_and_without_tokens
@every_recording
def test_an_item_of_an_earlier_version_is_listed_as_before(
    recording: Recording, added: Mapping[str, str]
) -> None:
    """The list of a user's streams is the one that the earlier version answered."""
    answer = ThisVersion.after(recording, added).serve(Call("list", {}))

    assert (answer.status, answer.body) == (200, recording.answer)


@with_and_without_tokens
@every_recording
def test_a_lease_of_an_earlier_version_is_extended(recording: Recording, added: Mapping[str, str]) -> None:
    """A heartbeat moves the expiry of each lease that the earlier version made."""
    version = ThisVersion.after(recording, added)
    before = version.state().leases

    statuses = [
        version.serve(Call("heartbeat", {"streamId": name}), recording.at + 30).status for name in before
    ]

    assert set(statuses) <= {200}
    assert all(version.state().leases[name].expires_at > lease.expires_at for name, lease in before.items())


@with_and_without_tokens
@every_recording
def test_streams_of_an_earlier_version_can_be_ended(recording: Recording, added: Mapping[str, str]) -> None:
    """Each stream that the earlier version started can be ended, and no slot remains taken."""
    version = ThisVersion.after(recording, added)

    assert set(version.end_all()) == {200}
    assert version.state().stream_count == 0
    assert version.state().groups == {}


@with_and_without_tokens
@every_recording
def test_the_limit_holds_over_an_item_of_an_earlier_version(
    recording: Recording, added: Mapping[str, str]
) -> None:
    """New streams get the free slots, and the next one is refused."""
    version = ThisVersion.after(recording, added)
    free = 3 - version.state().stream_count

    statuses = [
        version.serve(Call("start", {"streamId": f"new-{place}"})).status for place in range(free + 1)
    ]

    assert statuses == [200] * free + [403]


@every_recording
def test_an_audit_accepts_an_item_of_an_earlier_version(recording: Recording) -> None:
    """Every count of the item is the number of its parts."""
    assert ThisVersion.after(recording, {}).audit() is None


@every_recording
def test_an_audit_repairs_an_item_of_an_earlier_version(recording: Recording) -> None:
    """A repair under a new playback key counts the names that no code has counted yet."""
    version = ThisVersion.after(recording, PLAYBACK_KEY)

    assert version.repair()
    assert version.audit() is None


@every_recording
def test_two_versions_can_serve_one_user(recording: Recording) -> None:
    """Whichever version serves each call, the calls succeed as before and leave the same state in order."""
    left = items.snapshot(recording.item)
    for are_new in product([True, False], repeat=len(recording.calls)):
        version = ThisVersion(recording.user_id, recording.variables)
        for recorded, is_new in zip(recording.calls, are_new, strict=True):
            if is_new:
                assert version.serve(recorded.call, recorded.at).status == recorded.status
            else:
                replay(version.table, recorded)

        assert as_earlier_code_reads(version.state()) == left, are_new
        assert version.serve(Call("list", {}), recording.at).body == recording.answer
        assert version.audit() is None


def test_another_page_load_does_not_extend_a_lease_of_an_earlier_version() -> None:
    """A lease that earlier code has made extends for its own page load, and is gone for another one."""
    earlier = RECORDINGS["before-displaced-streams-in-groups"]
    start, *_ = earlier.calls
    version = ThisVersion(earlier.user_id, earlier.variables)
    replay(version.table, start)

    statuses = [
        version.serve(Call("heartbeat", {"streamId": "tv", "play": play}), start.at + 1).status
        for play in ("page-1", "page-2")
    ]

    assert statuses == [200, 410]


def test_an_end_by_code_without_groups_is_repaired_by_the_next_start() -> None:
    """Earlier code leaves a group's count too high, never too low, and a start in the group counts anew."""
    earlier = RECORDINGS["before-groups-comings-and-goings"]
    _, end, *_ = earlier.calls
    version = ThisVersion(earlier.user_id, {**earlier.variables, "GROUP_LIMITS": "uhd=1"})
    start = Call("start", {"streamId": "tv", "groups": ["uhd"]})
    version.serve(start, end.at)

    replay(version.table, end)

    assert (version.state().stream_count, version.state().groups["uhd"]) == (0, 1)
    assert version.serve(start).status == 200
    assert (version.state().stream_count, version.state().groups["uhd"]) == (1, 1)
    assert version.audit() is None
