import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.dynamodb.expressions import update_request
from domain.bounds import AsSeen, Bound, Count
from domain.decisions import first_heartbeat, first_start
from domain.gone import mark
from domain.group_counts import RECOUNTS
from domain.policy import Policy
from domain.requests import Heartbeat, StartAnonymous, StartNamed, StartRequest
from domain.streams import AnonymousSlots, Lease, Snapshot, SpentToken
from domain.token_names import MAX_FORGOTTEN, Counted, Recounted
from domain.writes import (
    Admit,
    AnonymousStream,
    Ended,
    Extend,
    Freed,
    Release,
    ReleaseAnonymous,
    Repair,
    Write,
)

NOW = 1_800_000_000
POLICY = Policy()
TOKENS = Policy(token_overlap=2)
RETAIN = {"N": "1800129600"}
"""Twelve hours of anonymous streams and a day from now."""

CALL = {
    "TableName": "streams",
    "Key": {"userId": {"S": "1"}},
    "ReturnValues": "ALL_NEW",
    "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
}
"""The members of every request: success and rejection both return the user's whole state."""


def first(request: StartRequest, policy: Policy = POLICY) -> dict[str, Any]:
    """Return the request that a start begins with."""
    return update_request("streams", first_start(request, policy, NOW).write)


class TestGolden:
    """The one UpdateItem of each ordinary call, word for word."""

    def test_start_named(self) -> None:
        """A named start takes a slot if the name is new and the count below the limit."""
        assert first(StartNamed("1", "a", 3, device="tv")) == CALL | {
            "UpdateExpression": "SET #s0 = :lease, expiresAt = :retain ADD streamCount :add_streamCount",
            "ConditionExpression": (
                "attribute_not_exists(#s0) AND (attribute_not_exists(streamCount) OR streamCount < :bound)"
            ),
            "ExpressionAttributeNames": {"#s0": "stream#a"},
            "ExpressionAttributeValues": {
                ":lease": {
                    "M": {
                        "expiresAt": {"N": "1800000090"},
                        "startedAt": {"N": "1800000000"},
                        "device": {"S": "tv"},
                    }
                },
                ":bound": {"N": "3"},
                ":add_streamCount": {"N": "1"},
                ":retain": RETAIN,
            },
        }

    def test_start_named_under_a_limit_of_zero(self) -> None:
        """A start under a limit of zero is rejected for a user without any state too."""
        request = first(StartNamed("1", "a", 0))
        assert request["ConditionExpression"] == "attribute_not_exists(#s0) AND streamCount < :bound"
        assert request["ExpressionAttributeValues"][":bound"] == {"N": "0"}

    def test_start_anonymous(self) -> None:
        """An anonymous start is counted if it is new, below the limit and revives no expired slot."""
        assert first(StartAnonymous("1", "id", 3)) == CALL | {
            "UpdateExpression": (
                "SET r1 = if_not_exists(r0, :nothing), r2 = if_not_exists(r1, :nothing),"
                " r3 = if_not_exists(r2, :nothing), r0 = :mark,"
                " anonymousExpiresAt = :until, expiresAt = :retain"
                " ADD anonymousCount :add_anonymousCount, streamCount :add_streamCount"
            ),
            "ConditionExpression": (
                "NOT :mark IN (r0, r1, r2, r3)"
                " AND (attribute_not_exists(anonymousCount) OR anonymousCount = :zero"
                " OR anonymousExpiresAt > :over)"
                " AND (attribute_not_exists(streamCount) OR streamCount < :bound)"
            ),
            "ExpressionAttributeValues": {
                ":mark": {"S": "start:id"},
                ":nothing": {"S": ""},
                ":zero": {"N": "0"},
                ":over": {"N": "1799999998"},
                ":until": {"N": "1800043200"},
                ":bound": {"N": "3"},
                ":add_anonymousCount": {"N": "1"},
                ":add_streamCount": {"N": "1"},
                ":retain": RETAIN,
            },
        }

    def test_start_anonymous_that_never_expires(self) -> None:
        """With slots that never expire, neither slots nor item have an expiry, and none is required."""
        assert first(StartAnonymous("1", "id", 3), Policy(anonymous_seconds=0)) == CALL | {
            "UpdateExpression": (
                "SET r1 = if_not_exists(r0, :nothing), r2 = if_not_exists(r1, :nothing),"
                " r3 = if_not_exists(r2, :nothing), r0 = :mark"
                " REMOVE anonymousExpiresAt, expiresAt"
                " ADD anonymousCount :add_anonymousCount, streamCount :add_streamCount"
            ),
            "ConditionExpression": (
                "NOT :mark IN (r0, r1, r2, r3)"
                " AND (attribute_not_exists(streamCount) OR streamCount < :bound)"
            ),
            "ExpressionAttributeValues": {
                ":mark": {"S": "start:id"},
                ":nothing": {"S": ""},
                ":bound": {"N": "3"},
                ":add_anonymousCount": {"N": "1"},
                ":add_streamCount": {"N": "1"},
            },
        }

    def test_start_that_replaces(self) -> None:
        """A replacing start swaps two streams: the count stays, and may be at the limit (`< 3 + 1`)."""
        assert first(StartNamed("1", "b", 3, replaces="a")) == CALL | {
            "UpdateExpression": "SET #s0 = :lease, expiresAt = :retain REMOVE #s1",
            "ConditionExpression": (
                "attribute_not_exists(#s0) AND attribute_exists(#s1) AND attribute_not_exists(#s1.groups)"
                " AND streamCount < :bound"
            ),
            "ExpressionAttributeNames": {"#s0": "stream#b", "#s1": "stream#a"},
            "ExpressionAttributeValues": {
                ":lease": {
                    "M": {
                        "expiresAt": {"N": "1800000090"},
                        "startedAt": {"N": "1800000000"},
                        "displaced": {"S": f"replaced:{mark('a')}"},
                    }
                },
                ":bound": {"N": "4"},
                ":retain": RETAIN,
            },
        }

    def test_start_that_reclaims(self) -> None:
        """A reclaiming start removes expired slots as they were seen, and overwrites its own old lease."""
        dead = (Lease("a", 1, 10), Lease("b", 1, 20))
        slots = AnonymousSlots(2, 30)
        write = Admit("1", Lease("a", 100, 190), (Bound(3),), None, Freed(dead, (Ended("c"),), slots))
        assert update_request("streams", write) == CALL | {
            "UpdateExpression": (
                "SET #s0 = :lease REMOVE #s1, #s2, expiresAt"
                " ADD anonymousCount :add_anonymousCount, streamCount :add_streamCount"
            ),
            "ConditionExpression": (
                "#s0.expiresAt = :seen0 AND attribute_not_exists(#s0.groups)"
                " AND #s1.expiresAt = :seen1 AND attribute_not_exists(#s1.groups)"
                " AND attribute_exists(#s2) AND attribute_not_exists(#s2.groups)"
                " AND anonymousCount = :seen_anonymousCount AND anonymousExpiresAt = :seen_until"
                " AND streamCount < :bound"
            ),
            "ExpressionAttributeNames": {"#s0": "stream#a", "#s1": "stream#b", "#s2": "stream#c"},
            "ExpressionAttributeValues": {
                ":lease": {"M": {"expiresAt": {"N": "190"}, "startedAt": {"N": "100"}}},
                ":seen0": {"N": "10"},
                ":seen1": {"N": "20"},
                ":seen_anonymousCount": {"N": "2"},
                ":seen_until": {"N": "30"},
                ":bound": {"N": "8"},
                ":add_anonymousCount": {"N": "-2"},
                ":add_streamCount": {"N": "-4"},
            },
        }

    def test_heartbeat(self) -> None:
        """A heartbeat moves the lease's expiry, never back."""
        assert update_request("streams", first_heartbeat(Heartbeat("1", "a"), POLICY, NOW).write) == CALL | {
            "UpdateExpression": "SET #s0.expiresAt = :until, expiresAt = :retain",
            "ConditionExpression": "attribute_exists(#s0) AND #s0.expiresAt <= :until",
            "ExpressionAttributeNames": {"#s0": "stream#a"},
            "ExpressionAttributeValues": {":until": {"N": "1800000090"}, ":retain": RETAIN},
        }

    def test_end_named(self) -> None:
        """A named end gives the slot back if the stream exists."""
        assert update_request("streams", Release("1", "a", 5)) == CALL | {
            "UpdateExpression": "SET expiresAt = :retain REMOVE #s0 ADD streamCount :add_streamCount",
            "ConditionExpression": "attribute_exists(#s0) AND attribute_not_exists(#s0.groups)",
            "ExpressionAttributeNames": {"#s0": "stream#a"},
            "ExpressionAttributeValues": {":add_streamCount": {"N": "-1"}, ":retain": {"N": "5"}},
        }

    def test_end_anonymous(self) -> None:
        """An anonymous end gives one slot back if there is one and the request is new."""
        assert update_request("streams", ReleaseAnonymous("1", "end:id", 5)) == CALL | {
            "UpdateExpression": (
                "SET r1 = if_not_exists(r0, :nothing), r2 = if_not_exists(r1, :nothing),"
                " r3 = if_not_exists(r2, :nothing), r0 = :mark, expiresAt = :retain"
                " ADD streamCount :add_streamCount, anonymousCount :add_anonymousCount"
            ),
            "ConditionExpression": "anonymousCount > :zero AND NOT :mark IN (r0, r1, r2, r3)",
            "ExpressionAttributeValues": {
                ":zero": {"N": "0"},
                ":mark": {"S": "end:id"},
                ":nothing": {"S": ""},
                ":add_streamCount": {"N": "-1"},
                ":add_anonymousCount": {"N": "-1"},
                ":retain": {"N": "5"},
            },
        }


class TestRequestsOfGroups:
    """The same calls for streams in groups: one more count each, and a condition where it is limited."""

    def test_start_named(self) -> None:
        """A named start takes a slot of each group, with or without a limit."""
        bounds = (Bound(1, "uhd"),)
        request = first(StartNamed("1", "a", 3, groups=("hdr", "uhd"), group_bounds=bounds))
        assert request == CALL | {
            "UpdateExpression": (
                "SET #s0 = :lease, expiresAt = :retain ADD streamCount :add_streamCount,"
                " #s2 :add_s2, #s1 :add_s1"
            ),
            "ConditionExpression": (
                "attribute_not_exists(#s0) AND (attribute_not_exists(streamCount) OR streamCount < :bound)"
                " AND (attribute_not_exists(#s1) OR #s1 < :bound_s1)"
            ),
            "ExpressionAttributeNames": {"#s0": "stream#a", "#s1": "group#uhd", "#s2": "group#hdr"},
            "ExpressionAttributeValues": {
                ":lease": {
                    "M": {
                        "expiresAt": {"N": "1800000090"},
                        "startedAt": {"N": "1800000000"},
                        "groups": {"S": "hdr,uhd"},
                    }
                },
                ":bound": {"N": "3"},
                ":bound_s1": {"N": "1"},
                ":add_streamCount": {"N": "1"},
                ":add_s1": {"N": "1"},
                ":add_s2": {"N": "1"},
                ":retain": RETAIN,
            },
        }

    def test_start_that_replaces(self) -> None:
        """A replacing start expects the old stream in its groups: no count changes or may be too high."""
        bounds = (Bound(1, "uhd"),)
        request = first(StartNamed("1", "b", 3, replaces="a", groups=("uhd",), group_bounds=bounds))
        assert request["UpdateExpression"] == "SET #s0 = :lease, expiresAt = :retain REMOVE #s1"
        assert request["ConditionExpression"] == (
            "attribute_not_exists(#s0) AND attribute_exists(#s1) AND #s1.groups = :groups_s1"
            " AND streamCount < :bound AND #s2 < :bound_s2"
        )
        assert request["ExpressionAttributeValues"][":groups_s1"] == {"S": "uhd"}
        assert request["ExpressionAttributeValues"][":bound_s2"] == {"N": "2"}

    def test_end_named(self) -> None:
        """A named end gives the slots of the groups back too."""
        assert update_request("streams", Release("1", "a", 5, groups=("uhd",))) == CALL | {
            "UpdateExpression": (
                "SET expiresAt = :retain REMOVE #s0 ADD streamCount :add_streamCount, #s1 :add_s1"
            ),
            "ConditionExpression": "attribute_exists(#s0) AND #s0.groups = :groups_s0",
            "ExpressionAttributeNames": {"#s0": "stream#a", "#s1": "group#uhd"},
            "ExpressionAttributeValues": {
                ":groups_s0": {"S": "uhd"},
                ":add_streamCount": {"N": "-1"},
                ":add_s1": {"N": "-1"},
                ":retain": {"N": "5"},
            },
        }

    def test_a_start_that_recounts(self) -> None:
        """A recounting start requires each count as it was seen, and removes one that becomes zero."""
        counts = (Bound(3), AsSeen(4, 1, "hdr"), AsSeen(0, 1, "sd"), AsSeen(2, 0, "uhd"))
        request = update_request(
            "streams", Admit("1", Lease("a", 100, 190, groups=("hdr", "sd")), counts, None)
        )
        assert request["UpdateExpression"] == (
            "SET #s0 = :lease, #s1 = :count_s1, #s2 = :count_s2 REMOVE #s3, expiresAt"
            " ADD streamCount :add_streamCount"
        )
        assert request["ConditionExpression"].endswith(
            " AND #s1 = :seen_s1 AND (attribute_not_exists(#s2) OR #s2 = :seen_s2) AND #s3 = :seen_s3"
        )


class TestRequestsThatCountNames:
    """Additions to each write where playback tokens are issued."""

    def test_start(self) -> None:
        """A start counts its name if that is counted, if there is room for it, or if no name is counted."""
        start = StartNamed("1", "a", 3)
        assert update_request("streams", first_start(start, TOKENS, NOW).write) == CALL | {
            "UpdateExpression": (
                "SET #s0 = :lease, expiresAt = :retain REMOVE #s1"
                " ADD streamCount :add_streamCount, tokens :add_tokens"
            ),
            "ConditionExpression": (
                "attribute_not_exists(#s0) AND (attribute_not_exists(streamCount) OR streamCount < :bound)"
                " AND (contains(tokens, :own) OR (attribute_exists(tokens) AND size(tokens) < :names)"
                " OR (attribute_not_exists(tokens)"
                " AND (attribute_not_exists(streamCount) OR streamCount = :zero)))"
                " AND (attribute_not_exists(#s1) OR #s1 <= :until)"
            ),
            "ExpressionAttributeNames": {"#s0": "stream#a", "#s1": "spent#a"},
            "ExpressionAttributeValues": {
                ":lease": {"M": {"expiresAt": {"N": "1800000090"}, "startedAt": {"N": "1800000000"}}},
                ":bound": {"N": "3"},
                ":add_streamCount": {"N": "1"},
                ":own": {"S": "a"},
                ":names": {"N": "5"},
                ":zero": {"N": "0"},
                ":add_tokens": {"SS": ["a"]},
                ":until": {"N": "1800000090"},
                ":retain": RETAIN,
            },
        }

    def test_replaces(self) -> None:
        """A replaced name must be counted, and stays counted until its last token ends."""
        start = StartNamed("1", "b", 3, None, "a")
        request = update_request("streams", first_start(start, TOKENS, NOW).write)
        assert request["UpdateExpression"] == (
            "SET #s0 = :lease, #s2 = #s1.expiresAt, expiresAt = :retain"
            " REMOVE #s1, #s3 ADD tokens :add_tokens"
        )
        assert "contains(tokens, :ended0)" in request["ConditionExpression"]
        assert request["ExpressionAttributeNames"] == {
            "#s0": "stream#b",
            "#s1": "stream#a",
            "#s2": "spent#a",
            "#s3": "spent#b",
        }
        assert request["ExpressionAttributeValues"][":ended0"] == {"S": "a"}

    def test_a_start_that_recounts(self) -> None:
        """A recounting start requires the names and the spent tokens as they were seen."""
        names = Recounted(frozenset("xy"), frozenset("ax"), (SpentToken("y", 30),))
        admit = Admit("1", Lease("a", 100, 190), (Bound(3),), None, names=names)
        request = update_request("streams", admit)
        assert request["UpdateExpression"] == (
            "SET #s0 = :lease, tokens = :tokens REMOVE #s1, #s2, expiresAt ADD streamCount :add_streamCount"
        )
        assert request["ConditionExpression"].endswith(
            " AND tokens = :seen_tokens AND #s1 = :over0 AND (attribute_not_exists(#s2) OR #s2 <= :until)"
        )
        assert (
            request["ExpressionAttributeValues"]
            | {
                ":seen_tokens": {"SS": ["x", "y"]},
                ":tokens": {"SS": ["a", "x"]},
                ":over0": {"N": "30"},
            }
            == (request["ExpressionAttributeValues"])
        )

    def test_a_repair_that_leaves_no_name(self) -> None:
        """A repair without names removes the set: DynamoDB has no empty one. Uncounted names stay so."""
        repair = Repair("1", Snapshot(), Freed(), None, Recounted(None, frozenset()))
        request = update_request("streams", repair)
        assert request["UpdateExpression"] == "REMOVE tokens, expiresAt"
        assert "attribute_not_exists(tokens)" in request["ConditionExpression"]

    def test_heartbeat(self) -> None:
        """A heartbeat requires that the name is counted and the stream is of this play."""
        beat = first_heartbeat(Heartbeat("1", "a", "load-1"), TOKENS, NOW)
        assert update_request("streams", beat.write) == CALL | {
            "UpdateExpression": "SET #s0.expiresAt = :until, expiresAt = :retain",
            "ConditionExpression": (
                "attribute_exists(#s0) AND #s0.expiresAt <= :until"
                " AND (attribute_not_exists(#s0.play) OR #s0.play = :of_play) AND contains(tokens, :own)"
            ),
            "ExpressionAttributeNames": {"#s0": "stream#a"},
            "ExpressionAttributeValues": {
                ":until": {"N": "1800000090"},
                ":of_play": {"S": "load-1"},
                ":own": {"S": "a"},
                ":retain": RETAIN,
            },
        }

    def test_end_named(self) -> None:
        """An ended name stays counted until its last token ends."""
        assert update_request("streams", Release("1", "a", 5, spends=True)) == CALL | {
            "UpdateExpression": (
                "SET #s1 = #s0.expiresAt, expiresAt = :retain REMOVE #s0"
                " ADD streamCount :add_streamCount, tokens :add_tokens"
            ),
            "ConditionExpression": "attribute_exists(#s0) AND attribute_not_exists(#s0.groups)",
            "ExpressionAttributeNames": {"#s0": "stream#a", "#s1": "spent#a"},
            "ExpressionAttributeValues": {
                ":add_streamCount": {"N": "-1"},
                ":add_tokens": {"SS": ["a"]},
                ":retain": {"N": "5"},
            },
        }


stream_ids = st.from_regex(r"[A-Za-z0-9._:-]{1,64}", fullmatch=True)
texts = st.text(min_size=1, max_size=20)


def every_write(user_id: str, names: list[str], device: str, mark: str) -> list[Write]:
    """Return each kind of write with as much of a caller's text as it can carry."""
    new, old, dead, ended = names
    groups = tuple(sorted({old, ended}))
    freed = Freed((Lease(dead, 1, 10), Lease(new, 1, 10)), (Ended(ended, groups),), AnonymousSlots(2, 30))
    recounted = Recounted(frozenset({dead}), frozenset({new, ended}), (SpentToken(old, 5),))
    lease = Lease(new, 1, 91, device, play=mark, path_prefix=device, groups=groups)
    counts = (Bound(3), *(Bound(2, group) for group in groups))
    as_seen = (AsSeen(3, 2), *(AsSeen(2, place, group) for place, group in enumerate(groups)))
    state = Snapshot(3, AnonymousSlots(2, None), {dead: Lease(dead, 1, 10)})
    return [
        Admit(user_id, Lease(new, 1, 91, device), (Bound(3),), 99),
        Admit(user_id, Lease(new, 1, 91, device), (Bound(3),), 99, freed),
        Admit(user_id, lease, (Bound(3),), 99, Freed(ended=(Ended(ended),)), names=Counted(5)),
        Admit(user_id, lease, counts, 99),
        Admit(user_id, lease, (Bound(3),), 99, Freed(ended=(Ended(ended, groups),))),
        Admit(user_id, lease, as_seen, 99, freed, names=recounted),
        Admit(user_id, AnonymousStream(mark, 91, 1), (Bound(3),), 99),
        Admit(user_id, AnonymousStream(mark, None, None), (Bound(3),), None, freed),
        Admit(user_id, AnonymousStream(mark, None, None), (Bound(3),), None, freed, names=recounted),
        Extend(user_id, new, 91, 99, replaces=Ended(old, groups)),
        Extend(user_id, new, 91, 99, of_play=mark, names=Counted(0)),
        Extend(user_id, new, 91, 99, Ended(ended), play=mark, path_prefix=device, names=recounted),
        Release(user_id, new, None),
        Release(user_id, new, None, of_play=mark, spends=True, groups=groups),
        ReleaseAnonymous(user_id, mark, 99),
        Repair(user_id, state, Freed((Lease(dead, 1, 10),), (), state.anonymous), 99),
        Repair(
            user_id, state, Freed((), (Ended(ended, groups),), state.anonymous), 99, recounted, as_seen[1:]
        ),
    ]


def expressions(write: Write) -> tuple[str, str]:
    """Return the two texts of a request that DynamoDB parses."""
    request = update_request("streams", write)
    return request["UpdateExpression"], request["ConditionExpression"]


@given(texts, st.lists(stream_ids, min_size=4, max_size=4, unique=True), texts, texts)
def test_no_callers_text_becomes_part_of_an_expression(
    user_id: str, names: list[str], device: str, mark: str
) -> None:
    """The expressions are the same whatever names, labels and ids a caller chooses."""
    plain = every_write("1", ["a", "b", "c", "d"], "tv", "start:1")
    for write, known in zip(every_write(user_id, names, device, mark), plain, strict=True):
        assert expressions(write) == expressions(known)


@pytest.mark.parametrize(
    "write", every_write("1", ["a", "b", "c", "d"], "tv", "start:1"), ids=lambda write: type(write).__name__
)
def test_placeholders_are_all_defined_and_all_used(write: Write) -> None:
    """A request defines exactly the placeholders that it uses, because DynamoDB rejects any other."""
    request = update_request("streams", write)
    used = set(re.findall(r"[#:]\w+", " ".join(expressions(write))))
    names, values = (request.get(f"ExpressionAttribute{kind}", {}) for kind in ("Names", "Values"))
    assert used == set(names) | set(values)
    assert len(set(names.values())) == len(names)


def test_the_longest_request_is_within_dynamodbs_limits() -> None:
    """A request to remove 20 expired streams and 50 spent tokens has under 4 KB and at most 300 operators."""
    names = [f"{n:064}" for n in range(20)]
    spent = tuple(SpentToken(f"spent{n}", 9) for n in range(MAX_FORGOTTEN))
    recounted = Recounted(frozenset({*names, "a"}), frozenset({"new"}), spent)
    groups = tuple(f"{n:032}" for n in range(4))
    recounted_groups = (AsSeen(20, 1, group) for group in (*groups, RECOUNTS))
    counts: tuple[Count, ...] = (Bound(20), *recounted_groups)
    dead = [
        tuple(Lease(name, 1, 10, groups=leases_groups) for name in names) for leases_groups in ((), groups)
    ]
    writes = [
        Admit("x" * 128, Lease("new", 1, 91, groups=groups), counts, 99, Freed(leases), names=recounted)
        for leases in dead
    ]
    for expression in [text for write in writes for text in expressions(write)]:
        assert len(expression.encode()) < 4096
        assert len(re.findall(r"AND|OR|NOT|[<>=]+|,", expression)) < 300


def test_an_unknown_kind_of_write_raises() -> None:
    """A kind of write without a request raises an error."""
    forgotten: Any = "not a write"
    with pytest.raises(AssertionError):
        update_request("streams", forgotten)
