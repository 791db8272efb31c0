"""Which versions `make rollback` goes back to."""

import pytest

from dev.operate.rollback import RollbackError, move, read, release_before
from tests.unit.dev.published import Lambda


@pytest.fixture
def stage() -> Lambda:
    """A stage of two functions with two releases."""
    functions = Lambda("start", "end")
    functions.deploy("a")
    functions.deploy("b")
    return functions


def test_it_goes_to_the_release_before(stage: Lambda) -> None:
    """All functions together, one release each time."""
    stage.deploy("c")

    stage.roll_back()
    assert stage.live() == ["b", "b"]

    stage.roll_back()
    assert stage.live() == ["a", "a"]


def test_a_withdrawn_release_is_never_gone_back_to(stage: Lambda) -> None:
    """The release before the mended one is the good one, not the one that was mended."""
    stage.deploy("bad")
    stage.roll_back()
    stage.deploy("mended")

    stage.roll_back()

    assert stage.live() == ["b", "b"]


def test_a_withdrawn_release_that_was_deployed_again_can_be_left_again(stage: Lambda) -> None:
    """Whoever deploys it means it; leaving it is as easy as before."""
    stage.roll_back()
    for aliases in stage.aliases.values():
        aliases["live"] = "2"  # as the next apply does

    stage.roll_back()

    assert stage.live() == ["a", "a"]


def test_a_half_moved_deployment_is_taken_back(stage: Lambda) -> None:
    """Only what it moved goes back: the others are where they should be."""
    stage.publish("c")
    stage.aliases["start"]["live"] = "3"

    stage.roll_back()

    assert stage.live() == ["b", "b"]
    assert "withdrawn-2" not in stage.aliases["end"]


def test_a_half_finished_rollback_is_finished_by_the_next(stage: Lambda) -> None:
    """A rollback that broke off is repeated, and ends where it should have ended."""
    function, version = release_before(stage.functions())[0]
    move(stage, function, version)

    stage.roll_back()

    assert stage.live() == ["a", "a"]


@pytest.mark.parametrize("function", ["start", "end"])
def test_versions_that_were_never_live_together_are_passed_over(function: str, stage: Lambda) -> None:
    """After a deployment that failed halfway the numbers no longer match; the releases do."""
    stage.publish("failed", function)
    stage.deploy("c")

    stage.roll_back()

    assert stage.live() == ["b", "b"]


def test_other_settings_are_another_release(stage: Lambda) -> None:
    """The same code under settings that only one function ever had is passed over like other code."""
    stage.publish("b", "start")
    stage.versions["start"][-1]["Environment"] = {"Variables": {"MAX_STREAMS": "5"}}
    stage.deploy("c")

    stage.roll_back()

    assert [aliases["live"] for aliases in stage.aliases.values()] == ["2", "2"]


def test_the_first_release_has_none_before_it() -> None:
    """Nothing is moved where there is nothing to go to."""
    first = Lambda("start", "end")
    first.deploy("a")

    with pytest.raises(RollbackError, match="No previous release has all functions"):
        first.roll_back()

    assert first.live() == ["a", "a"]


def test_a_function_that_came_with_the_release_stays(stage: Lambda) -> None:
    """The release before has no version of it; the others go back without it, and again the next time."""
    stage.versions["operator"], stage.aliases["operator"] = [], {}
    stage.deploy("c")

    stage.roll_back()
    assert stage.live() == ["b", "b", "c"]

    stage.roll_back()
    assert stage.live() == ["a", "a", "c"]


def test_a_function_that_came_goes_back_with_the_others_afterwards(stage: Lambda) -> None:
    """To a release that has it, and past a withdrawn one to a release that has not."""
    stage.versions["operator"], stage.aliases["operator"] = [], {}
    stage.deploy("c")
    stage.deploy("d")

    stage.roll_back()
    assert stage.live() == ["c", "c", "c"]

    stage.roll_back()
    stage.deploy("e")
    stage.roll_back()
    assert stage.live()[:2] == ["b", "b"]


def test_a_function_whose_past_is_deleted_is_not_taken_for_a_new_one(stage: Lambda) -> None:
    """Its first version is gone, so it was there: nothing goes back without it."""
    stage.deploy("c")
    del stage.versions["end"][:2]

    with pytest.raises(RollbackError, match="No previous release has all functions"):
        stage.roll_back()


def test_what_was_never_deployed_has_nothing_live() -> None:
    """Functions of an older form of this service are told from those that can go back."""
    with pytest.raises(RollbackError, match="start has no alias `live`: deploy it first"):
        read(Lambda("start"), "start")
