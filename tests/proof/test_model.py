"""The explicit-state model keeps the promises, and detects broken rules."""

import re
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from math import floor
from typing import Any

import pytest

from domain import attempt, decisions, eviction, group_counts, token_names, transitions
from domain.bounds import AsSeen, Bound
from domain.decisions import first_heartbeat
from domain.policy import Policy
from domain.requests import StartNamed
from domain.streams import Lease, Snapshot
from domain.token_names import Counted, Recounted
from proof.harness.frozen import FrozenState
from proof.model import steps
from proof.model.explore import Explored, explore
from proof.model.promises import Violation, must_have_too_many_names
from proof.model.states import USER, Host, World
from proof.model.token_scenarios import POLICY
from proof.model_checking import all_scenarios

pytestmark = pytest.mark.long


def explored(name: str) -> Explored:
    """Return the result of the scenario of this name."""
    return explore(next(scenario for scenario in all_scenarios() if scenario.name == name))


@pytest.mark.parametrize("name", ["heartbeats, limit 1, reject", "without names, limit 1, evict"])
def test_the_rules_keep_the_promises(name: str) -> None:
    """None of the thousands of reachable states breaks a promise."""
    result = explored(name)

    assert not result.violation, result.story
    assert result.states > 20_000


def test_without_the_grace_a_fast_clock_takes_a_live_slot(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Without the grace, the model shows a player that loses its slot within its lease."""
    monkeypatch.setattr(Policy, "latest_expired", lambda _, now: floor(now))

    result = explored("heartbeats, limit 1, reject")

    assert "lost its slot within its lease" in result.violation
    assert len(result.story) < 10


def test_a_takeover_without_the_seen_expiry_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """A takeover without the seen expiry is found, because it ends a stream that was extended in between."""

    def as_stated(state: Any, freed: Any) -> bool:
        return all(lease.stream_id in state.leases for lease in freed.expired)

    monkeypatch.setattr(transitions, "_matches", as_stated)

    assert "lost its slot within its lease" in explored("heartbeats, limit 1, reject").violation


def test_a_start_without_a_bound_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """A start without a bound is found, because one slot too many is a violation."""
    monkeypatch.setattr(StartNamed, "bounds", property(lambda start: (Bound(start.limit + 1),)))

    assert explored("heartbeats, limit 1, reject").violation == "2 slots of all under a limit of 1"


def test_a_forgotten_request_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """A forgotten request is found, because an anonymous start with a lost reply is counted twice."""
    remember: Callable[..., tuple[str, ...]] = lambda state, _: state.marks  # noqa: E731 - one broken rule
    monkeypatch.setattr(transitions, "_remember", remember)

    assert explored("without names, limit 2, reject").violation.startswith("counted twice")


CIRCLE = "tokens: circle of replaces, limit 1, overlap 1, reject"
SAME_NAME = "tokens: the same name, limit 1, overlap 1, reject"
RECOUNT = "tokens: a recount beside a circle, limit 1, overlap 1, reject"
TWO_SLOTS = "tokens: the same name, limit 2, overlap 1, reject"
OLD_CODE = "tokens: heartbeats beside old code, limit 1, overlap 1"


@pytest.mark.parametrize("name", [SAME_NAME, CIRCLE])
def test_no_player_has_more_tokens_than_the_bound(name: str) -> None:
    """None of the thousands of reachable states has more tokens than the bound."""
    result = explored(name)

    assert not result.violation, result.story
    assert result.states > 10_000


def _permit(state: Snapshot, names: Any, own: Any, ended: Any = (), *, ignored: str) -> bool:
    """Permit a recount whose seen names, or whose seen expiries, have changed."""
    if isinstance(names, Recounted):
        seen = state.tokens if ignored == "tokens" else names.seen
        names = Recounted(seen, names.names, () if ignored == "spent" else names.forgotten)
    return token_names.names_permit(state, names, own, ended)


def _at_once(state: Snapshot, own: Any, reclaimed: Any, latest_expired: int) -> Recounted:
    """Count spent tokens as expired at their expiry, without the grace."""
    return token_names.recount(state, own, reclaimed, latest_expired + POLICY.grace_seconds)


BROKEN_RULES: dict[str, tuple[str, Any, str, Any]] = {
    "no bound": (CIRCLE, attempt, "Counted", lambda _: Counted(9)),
    "one name too many": (CIRCLE, attempt, "Counted", lambda bound: Counted(bound + 1)),
    "an earlier expiry": (SAME_NAME, transitions, "_outlives_its_tokens", lambda *_: True),
    "no grace": (SAME_NAME, attempt, "recount", _at_once),
    "other seen names": (TWO_SLOTS, transitions, "names_permit", partial(_permit, ignored="tokens")),
    "another seen expiry": (RECOUNT, transitions, "names_permit", partial(_permit, ignored="spent")),
    "a name that is not kept": (
        *(CIRCLE, transitions, "names_after"),
        lambda state, names, newcomer, _=(): token_names.names_after(state, names, newcomer),
    ),
    "a heartbeat that counts nothing": (
        *(OLD_CODE, steps, "first_heartbeat"),
        lambda request, policy, now: first_heartbeat(request, replace(policy, token_overlap=None), now),
    ),
}


@pytest.mark.parametrize(("scenario", "module", "rule", "broken"), BROKEN_RULES.values(), ids=BROKEN_RULES)
def test_a_broken_part_of_the_token_bound_is_found(
    scenario: str, module: Any, rule: str, broken: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without any one part of the condition there are more tokens, or other names, than may be."""
    monkeypatch.setattr(module, rule, broken)

    violation = explored(scenario).violation

    assert re.search("have tokens|not among the names|are not those of the parts|postponed until", violation)


IN_GROUPS = (
    "groups: one slot of a group, evict",
    "groups: one of two in both groups, evict",
    "groups: starts beside old code, reject",
)
"""The scenarios with groups, of which the last one has old code beside new."""


@pytest.mark.parametrize("name", IN_GROUPS)
def test_no_group_has_more_streams_than_its_limit(name: str) -> None:
    """None of the thousands of reachable states breaks a group's limit."""
    result = explored(name)

    assert not result.violation, result.story
    assert result.states > 5_000


def _unnumbered(*arguments: Any) -> Any:
    """Count groups anew on no condition but the counts that were seen."""
    return tuple(count for count in group_counts.recount(*arguments) if count.group)


def _uncounted(state: Any, groups: Any, freed: Any, joined: Any = ()) -> Any:
    """Leave the counts of groups as they are."""
    del freed, joined
    return tuple(AsSeen(state.count(group), state.count(group), group) for group in groups)


def _not_left(state: Any, joined: Any = (), left: Any = (), counts: Any = ()) -> Any:
    """Count the streams that join a group, and none that leaves it."""
    del left
    return COUNTED_GROUPS(state, joined, (), counts)


def _as_stated(state: Snapshot, freed: Any) -> bool:
    """Require the streams and expiries that were seen, in whatever groups they are."""
    leases = state.leases
    return all(name in leases for name in freed.names) and all(
        leases[lease.stream_id].expires_at == lease.expires_at for lease in freed.expired
    )


def _oldest_too(leases: Any, lacking: Any) -> Any:
    """Evict the oldest stream as well, in whatever groups it is."""
    chosen = eviction.fewest(leases, lacking)
    return chosen and tuple(dict.fromkeys((*chosen, leases[0])))


def _first_that_help(leases: Any, lacking: Any) -> Any:
    """Evict one stream after another of a full group, until there is room: not the fewest."""
    chosen: list[Lease] = []
    for lease in leases:
        if any(need > sum(group in each.groups for each in chosen) for group, need in lacking.items()):
            chosen += [lease] if set(lease.groups) & set(lacking) else []
    return tuple(chosen)


COUNTED_GROUPS = transitions._groups  # noqa: SLF001 - the rule that is broken on purpose
ONE_SLOT, BOTH, WITH_OLD_CODE = IN_GROUPS
ACROSS = "groups: replaces across groups, reject"
OLDEST = "groups: the group and the total, evict"
BROKEN_GROUP_RULES: dict[str, tuple[str, str, Any, str, Any]] = {
    "no bound": (
        "slots of uhd",
        ONE_SLOT,
        StartNamed,
        "bounds",
        property(lambda start: (Bound(start.limit),)),
    ),
    "recounts that are not numbered": (
        *("slots of uhd", WITH_OLD_CODE),
        *(attempt, "recount_groups", _unnumbered),
    ),
    "counts that do not heal": ("slots of uhd", WITH_OLD_CODE, attempt, "recount_groups", _uncounted),
    "groups that are not left": ("are counted in uhd", ACROSS, transitions, "_groups", _not_left),
    "groups that are not as stated": ("are counted in", ACROSS, transitions, "_matches", _as_stated),
    "the oldest in any group": ("would suffice", OLDEST, decisions, "fewest", _oldest_too),
    "more than the fewest": ("would suffice", BOTH, decisions, "fewest", _first_that_help),
}


@pytest.mark.parametrize("broken", BROKEN_GROUP_RULES.values(), ids=BROKEN_GROUP_RULES)
def test_a_broken_rule_about_groups_is_found(
    broken: tuple[str, str, Any, str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without any one part of the rules a promise breaks, and the violation is named."""
    wrong, scenario, module, rule, instead = broken
    monkeypatch.setattr(module, rule, instead)

    assert wrong in explored(scenario).violation


@pytest.mark.parametrize(
    ("spent", "until", "wrong"),
    [
        ({"b": 9}, 10, "postponed with 2 names"),
        ({"b": 9, "c": 8}, 10, "would get in a second before"),
        ({"b": 9, "c": 8}, 8, "and again then"),
    ],
)
def test_a_needlessly_postponed_start_is_found(spent: dict[str, int], until: int, wrong: str) -> None:
    """A start that waits without too many names, or longer than the first token, is found."""
    state = Snapshot(1, leases={"a": Lease("a", 1, 9)}, tokens=frozenset({"a", *spent}), spent=spent)
    world = World(5, FrozenState.of(state), ())
    with pytest.raises(Violation, match=wrong):
        must_have_too_many_names(world, StartNamed(USER, "new", 2), Host(POLICY, 0), until)
