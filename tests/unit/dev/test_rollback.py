"""The versions that `make rollback` selects."""

import pytest

from dev.operate.rollback import RollbackError, move, previous_release, read
from tests.unit.dev.published import Lambda


@pytest.fixture
def stage() -> Lambda:
    """Return a stage of two functions with two releases."""
    functions = Lambda("start", "end")
    functions.deploy("a")
    functions.deploy("b")
    return functions


def test_a_rollback_goes_to_the_previous_release(stage: Lambda) -> None:
    """A rollback moves all functions together to the previous release, one release each time."""
    stage.deploy("c")

    stage.roll_back()
    assert stage.live() == ["b", "b"]

    stage.roll_back()
    assert stage.live() == ["a", "a"]


def test_a_rollback_skips_withdrawn_releases(stage: Lambda) -> None:
    """A rollback from the repaired release selects the good one before, not the withdrawn one."""
    stage.deploy("bad")
    stage.roll_back()
    stage.deploy("repaired")

    stage.roll_back()

    assert stage.live() == ["b", "b"]


def test_a_redeployed_withdrawn_release_can_be_rolled_back(stage: Lambda) -> None:
    """A withdrawn release that was deployed again, on purpose, can be rolled back again."""
    stage.roll_back()
    for aliases in stage.aliases.values():
        aliases["live"] = "2"  # as the next apply does

    stage.roll_back()

    assert stage.live() == ["a", "a"]


def test_a_half_finished_deployment_is_rolled_back(stage: Lambda) -> None:
    """After a deployment that failed halfway, only the functions that it moved go back."""
    stage.publish("c")
    stage.aliases["start"]["live"] = "3"

    stage.roll_back()

    assert stage.live() == ["b", "b"]
    assert "withdrawn-2" not in stage.aliases["end"]


def test_a_repeated_rollback_completes_an_interrupted_one(stage: Lambda) -> None:
    """A repeated rollback completes an interrupted one."""
    function, version = previous_release(stage.functions())[0]
    move(stage, function, version)

    stage.roll_back()

    assert stage.live() == ["a", "a"]


@pytest.mark.parametrize("function", ["start", "end"])
def test_versions_that_were_never_live_together_are_skipped(function: str, stage: Lambda) -> None:
    """Releases are matched after a deployment that failed halfway, although the numbers differ."""
    stage.publish("failed", function)
    stage.deploy("c")

    stage.roll_back()

    assert stage.live() == ["b", "b"]


def test_other_settings_are_another_release(stage: Lambda) -> None:
    """Settings that only one function ever had are another release, like other code, and are skipped."""
    stage.publish("b", "start")
    stage.versions["start"][-1]["Environment"] = {"Variables": {"MAX_STREAMS": "5"}}
    stage.deploy("c")

    stage.roll_back()

    assert [aliases["live"] for aliases in stage.aliases.values()] == ["2", "2"]


def test_the_first_release_has_no_previous_one() -> None:
    """The first release has no previous one, and no function is moved."""
    first = Lambda("start", "end")
    first.deploy("a")

    with pytest.raises(RollbackError, match="No previous release has all functions"):
        first.roll_back()

    assert first.live() == ["a", "a"]


def test_a_new_function_stays_in_a_rollback(stage: Lambda) -> None:
    """A function that is new in the release stays; the others go back without it, also the next time."""
    stage.versions["operator"], stage.aliases["operator"] = [], {}
    stage.deploy("c")

    stage.roll_back()
    assert stage.live() == ["b", "b", "c"]

    stage.roll_back()
    assert stage.live() == ["a", "a", "c"]


def test_a_later_rollback_moves_a_new_function(stage: Lambda) -> None:
    """A later rollback moves a new function to a release that has it, past a withdrawn one without it."""
    stage.versions["operator"], stage.aliases["operator"] = [], {}
    stage.deploy("c")
    stage.deploy("d")

    stage.roll_back()
    assert stage.live() == ["c", "c", "c"]

    stage.roll_back()
    stage.deploy("e")
    stage.roll_back()
    assert stage.live()[:2] == ["b", "b"]


def test_a_function_without_its_first_version_is_not_new(stage: Lambda) -> None:
    """If a function's first version was deleted, it counts as old, and nothing goes back without it."""
    stage.deploy("c")
    del stage.versions["end"][:2]

    with pytest.raises(RollbackError, match="No previous release has all functions"):
        stage.roll_back()


def test_functions_without_a_live_alias_are_an_error() -> None:
    """Functions of an older form of this service, without a live alias, are an error of their own."""
    with pytest.raises(RollbackError, match="start has no alias `live`: deploy it first"):
        read(Lambda("start"), "start")


def test_the_heartbeat_urls_function_belongs_to_its_release() -> None:
    """The URL's function has all settings but the URL, and is of the same release."""
    stage = Lambda("start", "end")
    stage.deploy("a")
    stage.versions["heartbeat-url"], stage.aliases["heartbeat-url"] = [], {}
    for code in ("a", "b"):
        stage.deploy(code)
        for name in ("start", "end"):
            settings = stage.versions[name][-1]["Environment"]["Variables"]
            settings["HEARTBEAT_URL"] = "https://abc.lambda-url.eu-central-1.on.aws/"

    stage.roll_back()
    assert [aliases["live"] for aliases in stage.aliases.values()] == ["2", "2", "1"]

    stage.roll_back()
    assert [aliases["live"] for aliases in stage.aliases.values()] == ["1", "1", "1"]
