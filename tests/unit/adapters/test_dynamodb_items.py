from collections.abc import Mapping
from typing import Any

import pytest

from adapters.dynamodb.items import MARKS, Item, key, snapshot
from domain.gone import mark
from domain.limiter import StreamLimiter
from domain.names import MAX_DEVICE_BYTES, MAX_GROUPS, MAX_PATH_PREFIX, MAX_USER_ID_BYTES
from domain.policy import MAX_STREAMS, Policy
from domain.ports import Deadline, Landed
from domain.requests import EndNamed, StartAnonymous, StartNamed
from domain.streams import AnonymousSlots, Displaced, GoneReason, Lease, Snapshot
from domain.writes import Extend
from entrypoints.bootstrap import random_key
from testing.fakes import FakeClock
from tests.conftest import TABLE, repository_over

WRITE_UNIT_BYTES = 1024
MAX_STREAM_ID = 64
MAX_GROUP = 32
LARGEST_ITEM_BYTES = 18_328
RETAIN_UNTIL = 1_800_000_000 + 200_000


def test_an_item_is_read_as_the_domains_state() -> None:
    """An item is read without the register's empty places and without the item's own expiry."""
    item: Item = {
        "userId": {"S": "1"},
        "streamCount": {"N": "3"},
        "anonymousCount": {"N": "1"},
        "anonymousExpiresAt": {"N": "900"},
        "r0": {"S": "start:1"},
        "r1": {"S": ""},
        "expiresAt": {"N": "1000"},
        "stream#a": {"M": {"expiresAt": {"N": "90"}, "startedAt": {"N": "1"}, "device": {"S": "tv"}}},
        "stream#r0": {
            "M": {
                "expiresAt": {"N": "91"},
                "startedAt": {"N": "2"},
                "play": {"S": "load-1"},
                "pathPrefix": {"S": "/film/"},
                "groups": {"S": "hdr,uhd"},
                "displaced": {"S": "evicted:01234567,expired:89abcdef"},
            }
        },
        "tokens": {"SS": ["a", "r0", "b"]},
        "spent#b": {"N": "80"},
        "group#uhd": {"N": "1"},
        "group#sd": {"N": "0"},
        "group#hdr": {"N": "1"},
    }
    displaced = (Displaced(GoneReason.EVICTED, "01234567"), Displaced(GoneReason.EXPIRED, "89abcdef"))
    r0 = Lease("r0", 2, 91, None, "load-1", "/film/", ("hdr", "uhd"), displaced)
    leases = {"a": Lease("a", 1, 90, "tv"), "r0": r0}
    tokens = frozenset({"a", "b", "r0"})
    assert snapshot(item) == Snapshot(
        3, AnonymousSlots(1, 900), leases, ("start:1",), tokens, {"b": 80}, {"hdr": 1, "uhd": 1}
    )


def test_a_missing_item_is_the_empty_state() -> None:
    """A missing item reads as the empty state."""
    assert snapshot({}) == Snapshot()


def test_the_largest_item_under_the_default_limit_costs_one_write_unit(moto_client: Any) -> None:
    """With all names, labels and memories at their longest, an item is at most 1 KB."""
    policy, clock, user_id = Policy(), FakeClock(1_799_999_999.5), "ü" * (MAX_USER_ID_BYTES // 2)
    limiter = StreamLimiter(repository_over(moto_client), clock, policy)
    for _ in MARKS:
        limiter.start(StartAnonymous(user_id, random_key(), MAX_STREAMS))
        clock.advance(policy.anonymous_seconds + policy.grace_seconds + 1)
    for n in range(MAX_STREAMS):
        limiter.start(StartNamed(user_id, f"{n:064}", MAX_STREAMS, "d" * MAX_DEVICE_BYTES))
    remember_two_each(moto_client, user_id)
    item = moto_client.get_item(TableName=TABLE, Key=key(user_id))["Item"]
    state = snapshot(item)
    assert (len(state.leases), len(state.marks)) == (MAX_STREAMS, len(MARKS))
    assert sum(len(name) + size(value) for name, value in item.items()) <= WRITE_UNIT_BYTES


@pytest.mark.parametrize(("length", "units"), [(36, 1), (MAX_STREAM_ID, 2)], ids=["uuids", "longest"])
def test_an_item_with_tokens_stays_small(moto_client: Any, length: int, units: int) -> None:
    """Three streams that displaced two each, and three spent tokens: one write unit, two with long names."""
    policy, user_id = Policy(token_overlap=3), f"{length:036}"
    limiter = StreamLimiter(repository_over(moto_client), FakeClock(1_800_000_000), policy)
    for n in range(6):
        limiter.start(StartNamed(user_id, f"{n:0{length}}", MAX_STREAMS, "Living room TV", play=f"{n:022}"))
        if n < 3:
            limiter.end(EndNamed(user_id, f"{n:0{length}}"))
    remember_two_each(moto_client, user_id)
    item = moto_client.get_item(TableName=TABLE, Key=key(user_id))["Item"]
    state = snapshot(item)
    assert (len(state.leases), len(state.spent), len(state.tokens or ())) == (3, 3, 6)
    taken = sum(len(name) + size(value) for name, value in item.items())
    assert (units - 1) * WRITE_UNIT_BYTES < taken <= units * WRITE_UNIT_BYTES


@pytest.mark.parametrize("spent", [0, 3])
def test_an_item_with_groups_stays_within_one_write_unit(moto_client: Any, spent: int) -> None:
    """Three streams in two groups that displaced two each, with spent tokens, are one write unit."""
    policy, user_id = Policy(token_overlap=3 if spent else None), f"{1:036}"
    limiter = StreamLimiter(repository_over(moto_client), FakeClock(1_800_000_000), policy)
    for n in range(3 + spent):
        name, device, groups = f"{n:036}", "Living room TV", ("away", "uhd")
        limiter.start(StartNamed(user_id, name, MAX_STREAMS, device, play=f"{n:08}", groups=groups))
        if n < spent:
            limiter.end(EndNamed(user_id, name, groups=groups))
    remember_two_each(moto_client, user_id)
    item = moto_client.get_item(TableName=TABLE, Key=key(user_id))["Item"]
    state = snapshot(item)
    assert (len(state.leases), len(state.spent), state.groups) == (3, spent, {"away": 3, "uhd": 3})
    assert sum(len(name) + size(value) for name, value in item.items()) <= WRITE_UNIT_BYTES


def test_the_largest_possible_item_fits(moto_client: Any) -> None:
    """Twenty streams in four groups with two memories each, twenty spent tokens and the longest names fit."""
    policy, user_id = Policy(token_overlap=20), "ü" * (MAX_USER_ID_BYTES // 2)
    limiter = StreamLimiter(repository_over(moto_client), FakeClock(1_800_000_000), policy)
    groups = tuple(f"{n:0{MAX_GROUP}}" for n in range(MAX_GROUPS))
    prefix = f"/{'p' * (MAX_PATH_PREFIX - 2)}/"
    for n in range(40):
        stream = f"{n:0{MAX_STREAM_ID}}"
        start = StartNamed(user_id, stream, 20, "d" * MAX_DEVICE_BYTES, None, "l" * 64, prefix, groups)
        limiter.start(start)
        if n < 20:
            limiter.end(EndNamed(user_id, stream, groups=groups))
    remember_two_each(moto_client, user_id)
    item = moto_client.get_item(TableName=TABLE, Key=key(user_id))["Item"]
    assert len(snapshot(item).leases) == len(snapshot(item).spent) == 20
    taken = sum(len(name) + size(value) for name, value in item.items())
    assert taken == LARGEST_ITEM_BYTES


def remember_two_each(client: Any, user_id: str) -> None:
    """Let each of the user's leases remember as many displaced streams as a lease can."""
    repository, deadline = repository_over(client), Deadline.after(10, FakeClock())
    two = tuple(Displaced(GoneReason.REPLACED, mark(name)) for name in "ab")
    for lease in repository.read(user_id, deadline).leases.values():
        write = Extend(user_id, lease.stream_id, lease.expires_at, RETAIN_UNTIL, displaced=two)
        assert isinstance(repository.apply(write, deadline), Landed)


def size(value: Mapping[str, Any]) -> int:
    """Return a value's bytes, as DynamoDB's documentation counts them ("item sizes and formats")."""
    match dict(value):
        case {"SS": texts}:
            return sum(len(text.encode()) for text in texts)
        case {"S": text}:
            return len(text.encode())
        case {"N": digits}:
            return (len(digits) + 1) // 2 + 1
        case {"M": entries}:
            return 3 + sum(len(name) + size(entry) + 1 for name, entry in entries.items())
    raise AssertionError(value)
