"""The names that count towards the token bound: streams that may have an unexpired playback token.

A token outlives its stream by up to a lease. A script that starts and ends streams again and again would
collect tokens and hold no slot. So a name stays counted until the last token under that name has expired.
The names are a set, not a number: a number drifts while old code writes beside new code, and a number that
has drifted upwards locks its user out indefinitely.
"""

from collections.abc import Collection, Mapping
from types import MappingProxyType
from typing import Final

from domain.streams import Snapshot, SpentToken
from domain.values import value_object


@value_object
class Counted:
    """The names that the store has counted, for a write that has not seen the state.

    Attributes:
        bound: a new name is admitted only if fewer names than this are counted; 0 admits no new name.
    """

    bound: int


@value_object
class Recounted:
    """The names as counted from the leases and spent tokens of a state that was seen.

    Attributes:
        seen: the names that were counted in that state; `None` = none had ever been.
        names: the names that are counted from now on.
        forgotten: expired tokens that are forgotten; each must still have the expiry that was seen.
    """

    seen: frozenset[str] | None
    names: frozenset[str]
    forgotten: tuple[SpentToken, ...] = ()


Names = Counted | Recounted

MAX_FORGOTTEN: Final = 50
"""The most expired tokens that one write forgets. Only old code beside new code leaves more of them."""


def names_permit(state: Snapshot, names: Names | None, own: str | None, ended: Collection[str] = ()) -> bool:
    """Return whether a write may count the name of its own stream and keep those of the ended ones."""
    match names:
        case None:
            return True
        case Counted(bound):
            counted = state.tokens or frozenset()
            none_to_count = state.tokens is None and state.stream_count == 0
            return all(name in counted for name in ended) and (
                own is None
                or own in counted
                or ((state.tokens is not None or none_to_count) and len(counted) < bound)
            )
        case Recounted(seen, _, forgotten):
            return state.tokens == seen and all(
                state.spent.get(token.stream_id) == token.expires_at for token in forgotten
            )


def names_after(
    state: Snapshot, names: Names | None, newcomer: str | None, ended: Collection[str] = ()
) -> tuple[frozenset[str] | None, Mapping[str, int]]:
    """Return the counted names and the spent tokens that a write leaves.

    Args:
        state: the state that the write meets.
        names: how the write counts names; `None` = not at all.
        newcomer: the name that starts; its spent token is forgotten.
        ended: the names of streams that end.
    """
    if names is None:
        return state.tokens, state.spent
    forgotten = {newcomer}
    if isinstance(names, Recounted):
        tokens = names.names or None
        forgotten |= {token.stream_id for token in names.forgotten}
    else:
        added = frozenset([*ended, *([] if newcomer is None else [newcomer])])
        tokens = (state.tokens or frozenset()) | added if added else state.tokens
    spent = {name: until for name, until in state.spent.items() if name not in forgotten}
    spent |= {name: state.leases[name].expires_at for name in ended}
    return tokens, MappingProxyType(spent)


def recount(
    state: Snapshot, newcomer: str | None, reclaimed: Collection[str], latest_expired: int
) -> Recounted:
    """Recount the names of a state, including the newcomer's.

    Args:
        state: the state that was seen.
        newcomer: the name that the write admits, if it admits one.
        reclaimed: expired leases that the write removes; their tokens have expired too.
        latest_expired: the latest expiry that counts as expired.
    """
    leases = state.leases.keys() - set(reclaimed)
    forgotten = [
        SpentToken(name, until)
        for name, until in sorted(state.spent.items())
        if until <= latest_expired and name not in leases and name != newcomer
    ]
    spent = state.spent.keys() - {token.stream_id for token in forgotten}
    names = frozenset({*leases, *spent, *([] if newcomer is None else [newcomer])})
    return Recounted(state.tokens, names, tuple(forgotten[:MAX_FORGOTTEN]))


def forget_oldest(state: Snapshot, names: Recounted, bound: int) -> Recounted:
    """Forget the spent tokens that expire first, until the names are within the bound if possible."""
    too_many = max(0, len(names.names) - bound)
    spent = [token for token in by_end(state, names.names) if token.stream_id not in state.leases]
    forgotten = tuple(spent[:too_many])
    left = names.names - {token.stream_id for token in forgotten}
    return Recounted(names.seen, left, (*names.forgotten, *forgotten))


def by_end(state: Snapshot, names: frozenset[str]) -> list[SpentToken]:
    """Return when the last token of each name expires, the earliest first.

    Leases come last, as heartbeats extend them. A name without either is the newcomer's, and is left out.
    """
    spent = {name: until for name, until in state.spent.items() if name in names and name not in state.leases}
    leases = {name: lease.expires_at for name, lease in state.leases.items() if name in names}
    return [
        SpentToken(name, until)
        for part in (spent, leases)
        for until, name in sorted((until, name) for name, until in part.items())
    ]
