from dataclasses import replace
from random import Random

from hypothesis import assume, given
from hypothesis import strategies as st

from domain.bounds import AsSeen
from domain.decisions import Postpone, Refuse, Settled, Try
from domain.policy import Enforcement, OnLimit, Outcome, Policy
from domain.streams import CEILING, Lease, Snapshot
from domain.token_names import Recounted
from domain.transitions import after, permits
from domain.writes import Admit, Extend
from tests.unit.domain.states import GROUPS, NOW, Case, by_name, cases, circling, crowding, parts, thoroughly


def written(case: Case) -> tuple[Try, Snapshot]:
    """Return the decided write and the state that it leaves, and discard cases without a write."""
    decision = case.decide()
    assume(isinstance(decision, Try))
    assert isinstance(decision, Try)
    return decision, after(case.state, decision.write)


@thoroughly
@given(cases())
def test_a_decided_write_is_permitted_by_the_seen_state(case: Case) -> None:
    """Without a race, two writes are enough for any start."""
    decision, _ = written(case)
    assert permits(case.state, decision.write)


@thoroughly
@given(cases() | crowding())
def test_the_limit_holds_where_it_is_enforced(case: Case) -> None:
    """A newcomer is admitted only if it leaves no more live streams than the limit, itself included."""
    case = replace(case, policy=replace(case.policy, enforcement=Enforcement.ENFORCE))
    decision, left = written(case)
    live = case.policy.live(left, case.now)
    if isinstance(decision.write, Admit):
        assert 1 <= live.count <= case.request.limit
        for bound in case.room.bounds[1:]:
            assert sum(bound.group in lease.groups for lease in live.leases) <= bound.limit
    else:
        assert live.count <= case.policy.live(case.state, case.now).count


@thoroughly
@given(cases())
def test_no_user_exceeds_the_ceiling(case: Case) -> None:
    """The ceiling holds in every mode and under every limit."""
    _, left = written(case)
    assert left.stream_count <= CEILING


@thoroughly
@given(cases())
def test_the_count_stays_equal_to_its_parts(case: Case) -> None:
    """Every write keeps the invariant that every condition relies upon."""
    assert parts(case.state) == case.state.stream_count
    _, left = written(case)
    assert parts(left) == left.stream_count
    assert left.anonymous.count >= 0


@thoroughly
@given(cases())
def test_the_count_of_a_group_equals_its_streams(case: Case) -> None:
    """A group's count stays as right as it was, and a write that recounts makes it right."""
    decision, left = written(case)
    recounted = decision.write.counts if isinstance(decision.write, Admit) else ()
    for group in GROUPS:
        was_wrong_by = case.state.count(group) - case.state.leases_in(group)
        is_recounted = any(isinstance(count, AsSeen) and count.group == group for count in recounted)
        assert left.count(group) - left.leases_in(group) == (0 if is_recounted else was_wrong_by)


def names(state: Snapshot, policy: Policy, now: float) -> set[str]:
    """Return the names of streams that may have an unexpired token."""
    spent = {name for name, until in state.spent.items() if until > policy.latest_expired(now)}
    return {*state.leases, *spent}


@thoroughly
@given(cases(tokens=True))
def test_every_write_of_a_named_start_counts_all_names(case: Case) -> None:
    """A recount leaves the names of all leases and all spent tokens; any other write adds its own."""
    decision, left = written(case)
    assert isinstance(decision.write, Admit | Extend)
    if isinstance(decision.write.names, Recounted):
        assert left.tokens == ({*left.leases, *left.spent} or None)
    assert names(left, case.policy, case.now) - names(case.state, case.policy, case.now) <= (
        left.tokens or set()
    )


@thoroughly
@given(cases(tokens=True))
def test_the_token_bound_holds_where_it_is_enforced(case: Case) -> None:
    """A newcomer is admitted only if it leaves no more names with a token than the limit and the overlap.

    Names that were counted under a higher limit, its own among them, and those that old code did not count
    come on top.
    """
    case = replace(case, policy=replace(case.policy, enforcement=Enforcement.ENFORCE))
    decision, left = written(case)
    assume(isinstance(decision.write, Admit) and isinstance(decision.write.newcomer, Lease))
    assert isinstance(decision.write, Admit)
    assert isinstance(decision.write.newcomer, Lease)
    live = case.policy.live(case.state, case.now).count
    limit = max(case.request.limit, live) if decision.outcome is Outcome.EVICTED else case.request.limit
    assert case.policy.token_overlap is not None
    counted = case.state.tokens or frozenset()
    before = len(counted) if decision.write.newcomer.stream_id in counted else 0
    uncounted = names(case.state, case.policy, case.now) - counted
    bound = max(limit + case.policy.token_overlap, before)
    assert len(names(left, case.policy, case.now)) <= bound + len(uncounted)


@thoroughly
@given(circling())
def test_a_postponed_start_is_admitted_at_its_retry_time(case: Case) -> None:
    """A start is admitted at the time it was given and not a second earlier, if the live leases stay live."""
    decision = case.decide()
    assert isinstance(decision, Postpone)
    live = case.policy.live(case.state, case.now).leases
    kept = {lease.stream_id: replace(lease, expires_at=NOW + 999) for lease in live}
    held = replace(case.state, leases={**case.state.leases, **kept})
    early, on_time = (
        replace(case, state=held, now=until).decide() for until in (decision.until - 1, decision.until)
    )
    assert decision.until > case.now
    assert isinstance(early, Postpone)
    assert isinstance(on_time, Try)


@thoroughly
@given(cases(tokens=True))
def test_shadow_bounds_the_spent_tokens(case: Case) -> None:
    """Shadow mode forgets the oldest spent tokens beyond the ceiling and the overlap; no start waits."""
    case = replace(case, policy=replace(case.policy, enforcement=Enforcement.SHADOW))
    assert not isinstance(case.decide(), Postpone)
    decision, left = written(case)
    assert case.policy.token_overlap is not None
    if isinstance(decision.write, Admit) and decision.outcome is Outcome.WOULD_REFUSE:
        assert len(left.tokens or ()) <= CEILING + case.policy.token_overlap


@thoroughly
@given(cases() | crowding(), st.sampled_from([*OnLimit, None]))
def test_only_replaced_and_oldest_live_streams_end(case: Case, enforced: OnLimit | None) -> None:
    """Only eviction ends other streams: the oldest ones, as few as necessary, and no anonymous one."""
    if enforced is not None:
        policy = replace(case.policy, enforcement=Enforcement.ENFORCE, on_limit=enforced)
        case = replace(case, policy=policy)
    decision, left = written(case)
    before = case.policy.live(case.state, case.now)
    gone = [lease for lease in case.room.others if lease.stream_id not in left.leases]
    assert left.anonymous.count >= before.anonymous_count
    if decision.outcome is Outcome.EVICTED:
        assert enforced is not OnLimit.REJECT
        assert case.policy.enforcement is Enforcement.ENFORCE
        assert gone
        assert not case.room.full(gone)
        for kept in gone:  # one fewer would not do
            assert case.room.full([lease for lease in gone if lease != kept])
        if len(case.room.bounds) == 1:
            assert tuple(gone) == case.room.others[: len(gone)]
            assert case.policy.live(left, case.now).count == case.request.limit
    else:
        assert gone == []


@thoroughly
@given(cases() | crowding())
def test_a_start_is_refused_exactly_without_room(case: Case) -> None:
    """A start is refused if expired, replaced and evictable streams make no room; a repeat needs none."""
    anonymous = case.policy.live(case.state, case.now).anonymous_count
    full = case.room.full()
    if case.policy.enforcement is Enforcement.SHADOW:
        full = full if len(case.room.others) + anonymous >= CEILING else []
    elif case.policy.on_limit is OnLimit.EVICT_OLDEST:
        full = case.room.full(case.room.others)
    decision = case.decide()
    assert (isinstance(decision, Refuse)) is (bool(full) and not case.is_repeat)
    if isinstance(decision, Refuse):
        assert decision.full == full[0]  # the total before the groups


@thoroughly
@given(cases())
def test_shadow_records_what_enforcement_would_refuse(case: Case) -> None:
    """Shadow mode records a refusal exactly where enforcement refuses, and names the same limit."""
    enforced = replace(case.policy, enforcement=Enforcement.ENFORCE, on_limit=OnLimit.REJECT)
    shadow = replace(enforced, enforcement=Enforcement.SHADOW)
    verdict, shown = (replace(case, policy=policy).decide() for policy in (enforced, shadow))
    if isinstance(verdict, Refuse | Postpone):
        full = verdict.full if isinstance(verdict, Refuse) else None
        named = isinstance(shown, Try) and (shown.outcome, shown.full) == (Outcome.WOULD_REFUSE, full)
        assert named or isinstance(shown, Refuse)
    else:
        assert shown == verdict


@thoroughly
@given(cases(), st.randoms(use_true_random=False))
def test_a_decision_is_deterministic(case: Case, random: Random) -> None:
    """The same question, or the same leases in another order, lead to the same decision."""
    leases = list(case.state.leases.values())
    random.shuffle(leases)
    shuffled = replace(case, state=replace(case.state, leases=by_name(tuple(leases))))
    assert case.decide() == case.decide() == shuffled.decide()


@thoroughly
@given(cases(), st.integers(0, 7))
def test_a_repeat_takes_no_second_slot(case: Case, eighths: int) -> None:
    """After its write, a repeated request has its slot: at most its lease is renewed."""
    _, left = written(case)
    again = replace(case, state=left)
    assert again.decide() == Settled(Outcome.REPLAYED)
    later = replace(again, now=case.now + case.policy.lease_seconds * eighths / 8).decide()
    if isinstance(later, Try):
        assert (later.outcome, isinstance(later.write, Extend)) == (Outcome.REPLAYED, True)
    else:
        assert later == Settled(Outcome.REPLAYED)


@thoroughly
@given(cases() | crowding())
def test_each_admission_depends_on_each_limit(case: Case) -> None:
    """A write that admits states each count that has a limit, so no race exceeds it, except in shadow."""
    match case.decide():
        case Try(write=Admit(counts=counts), outcome=outcome) if outcome is not Outcome.WOULD_REFUSE:
            assert {bound.group for bound in case.room.bounds} <= {count.group for count in counts}
