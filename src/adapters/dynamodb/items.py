"""The item of one user, and its conversion into a `Snapshot`.

| attribute | type | meaning |
|---|---|---|
| `userId` | S | the table's key |
| `streamCount` | N | slots taken: `anonymousCount` plus the number of `stream#…` attributes |
| `anonymousCount` | N | slots taken by anonymous streams |
| `anonymousExpiresAt` | N | epoch second after which those are presumed to have ended |
| `r0` … `r3` | S | the marks of the latest anonymous changes, newest first: a shift register |
| `stream#<streamId>` | M | lease: `expiresAt`, `startedAt` N, `device`, `play`, `pathPrefix` S |
| `group#<name>` | N | streams in a group: the number of leases that name it in `groups` |
| `group#` | N | the number of recounts of groups whose counts old code had left too high |
| `tokens` | SS | the names of all leases and all spent tokens; only where playback tokens are issued |
| `spent#<streamId>` | N | epoch second at which the last token of an ended stream expires |
| `expiresAt` | N | DynamoDB's TTL, which deletes idle items, and has no other purpose |

In a lease, `groups` and `displaced` (the streams that it displaced) are also texts, joined by commas.
"""

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

from domain.streams import (
    REMEMBERED_MARKS,
    AnonymousSlots,
    Displaced,
    GoneReason,
    Lease,
    Snapshot,
)

USER_ID: Final = "userId"
STREAM_COUNT: Final = "streamCount"
ANONYMOUS_COUNT: Final = "anonymousCount"
ANONYMOUS_EXPIRES_AT: Final = "anonymousExpiresAt"
EXPIRES_AT: Final = "expiresAt"
STARTED_AT: Final = "startedAt"
DEVICE: Final = "device"
PLAY: Final = "play"
PATH_PREFIX: Final = "pathPrefix"
GROUPS: Final = "groups"
DISPLACED: Final = "displaced"
STREAM_PREFIX: Final = "stream#"
SPENT_PREFIX: Final = "spent#"
TOKENS: Final = "tokens"
GROUP_PREFIX: Final = "group#"
_NAMED: Final = (STREAM_PREFIX, SPENT_PREFIX, GROUP_PREFIX)
MARKS: Final = tuple(f"r{place}" for place in range(REMEMBERED_MARKS))

Item = Mapping[str, Mapping[str, Any]]
"""An item in the SDK's shape: attribute name to `{type: value}`."""


def number(value: int) -> dict[str, str]:
    """Return a number in the SDK's shape."""
    return {"N": str(value)}


def string(value: str) -> dict[str, str]:
    """Return a string in the SDK's shape."""
    return {"S": value}


def strings(values: Iterable[str]) -> dict[str, list[str]]:
    """Return a set of strings in the SDK's shape."""
    return {"SS": sorted(values)}


def key(user_id: str) -> dict[str, dict[str, str]]:
    """Return the key of a user's item."""
    return {USER_ID: string(user_id)}


def groups(names: Sequence[str]) -> dict[str, str]:
    """Return the groups of a lease in the SDK's shape."""
    return string(",".join(names))


def displaced(streams: Sequence[Displaced]) -> dict[str, str]:
    """Return the displaced streams of a lease in the SDK's shape."""
    return string(",".join(f"{stream.reason}:{stream.mark}" for stream in streams))


def lease_value(lease: Lease) -> dict[str, dict[str, dict[str, str]]]:
    """Return a lease in the SDK's shape."""
    fields = {EXPIRES_AT: number(lease.expires_at), STARTED_AT: number(lease.started_at)}
    texts = {DEVICE: lease.device, PLAY: lease.play, PATH_PREFIX: lease.path_prefix}
    fields |= {name: string(text) for name, text in texts.items() if text is not None}
    if lease.groups:
        fields[GROUPS] = groups(lease.groups)
    if lease.displaced:
        fields[DISPLACED] = displaced(lease.displaced)
    return {"M": fields}


def snapshot(item: Item) -> Snapshot:
    """Return a user's item as a snapshot. An empty mapping is a user without any state."""
    expiry = item.get(ANONYMOUS_EXPIRES_AT)
    leases: dict[str, Lease] = {}
    spent: dict[str, int] = {}
    counts: dict[str, int] = {}
    for attribute, value in item.items():
        if attribute.startswith(_NAMED):
            kind, _, name = attribute.partition("#")
            if kind == "stream":
                leases[name] = _lease(name, value["M"])
            elif kind == "spent":
                spent[name] = _int(value)
            elif count := _int(value):
                counts[name] = count
    return Snapshot(
        stream_count=_int(item.get(STREAM_COUNT)),
        anonymous=AnonymousSlots(
            count=_int(item.get(ANONYMOUS_COUNT)),
            expires_at=None if expiry is None else _int(expiry),
        ),
        leases=MappingProxyType(leases),
        # A place without a mark yet holds the empty string.
        marks=tuple(item[name]["S"] for name in MARKS if name in item and item[name]["S"]),
        tokens=frozenset(item[TOKENS]["SS"]) if TOKENS in item else None,
        spent=MappingProxyType(spent),
        groups=MappingProxyType(counts),
    )


def _lease(stream_id: str, fields: Item) -> Lease:
    return Lease(
        stream_id=stream_id,
        started_at=_int(fields.get(STARTED_AT)),
        expires_at=_int(fields.get(EXPIRES_AT)),
        device=fields[DEVICE]["S"] if DEVICE in fields else None,
        play=fields[PLAY]["S"] if PLAY in fields else None,
        path_prefix=fields[PATH_PREFIX]["S"] if PATH_PREFIX in fields else None,
        groups=tuple(fields[GROUPS]["S"].split(",")) if GROUPS in fields else (),
        displaced=_displaced(fields[DISPLACED]["S"]) if DISPLACED in fields else (),
    )


def _displaced(text: str) -> tuple[Displaced, ...]:
    parts = (stream.partition(":") for stream in text.split(","))
    return tuple(Displaced(GoneReason(reason), mark) for reason, _, mark in parts)


def _int(value: Mapping[str, Any] | None) -> int:
    return 0 if value is None else int(value["N"])
