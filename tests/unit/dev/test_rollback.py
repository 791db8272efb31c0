"""Which versions `make rollback` goes back to."""

from itertools import count
from typing import Any

import pytest

from dev.rollback import Function, RollbackError, move, read, release_before


class Lambda:
    """Lambda's versions and aliases of one stage's functions, in its own shape."""

    class exceptions:  # noqa: N801 - boto3's name for it
        """The errors that it raises."""

        class ResourceConflictException(Exception):
            """The alias is there."""

    def __init__(self, *functions: str) -> None:
        self.versions: dict[str, list[dict[str, Any]]] = {name: [] for name in functions}
        self.aliases: dict[str, dict[str, str]] = {name: {} for name in functions}
        self._time = count(1)

    def publish(self, release: str, *functions: str) -> None:
        """Publish a version of these functions, or of all."""
        for name in functions or self.versions:
            version = {
                "Version": str(len(self.versions[name]) + 1),
                "LastModified": f"2026-11-24T00:00:{next(self._time):02}.000+0000",
                "CodeSha256": release,
                "Environment": {"Variables": {"MAX_STREAMS": "3"}},
            }
            self.versions[name].append(version)

    def deploy(self, release: str, *functions: str) -> None:
        """Publish, and make it live."""
        self.publish(release, *functions)
        for name in functions or self.versions:
            self.aliases[name]["live"] = self.versions[name][-1]["Version"]

    def functions(self) -> list[Function]:
        """All of them, as they are read."""
        return [read(self, name) for name in self.versions]

    def roll_back(self) -> None:
        """What the command does."""
        for function, version in release_before(self.functions()):
            move(self, function, version)

    def live(self) -> list[str]:
        """The release that is live, by function."""
        return [
            self.versions[name][int(self.aliases[name]["live"]) - 1]["CodeSha256"] for name in self.versions
        ]

    def get_paginator(self, operation: str) -> Any:
        """Its lists, on one page."""
        latest = {"Version": "$LATEST", "LastModified": "", "CodeSha256": ""}

        class Pages:
            @staticmethod
            def paginate(FunctionName: str) -> list[dict[str, Any]]:  # noqa: N803 - AWS's name
                if operation == "list_versions_by_function":
                    return [{"Versions": [latest, *self.versions[FunctionName]]}]
                aliases = self.aliases[FunctionName].items()
                return [
                    {"Aliases": [{"Name": name, "FunctionVersion": version} for name, version in aliases]}
                ]

        return Pages

    def update_alias(self, **request: str) -> None:
        """Move one."""
        self.aliases[request["FunctionName"]][request["Name"]] = request["FunctionVersion"]

    def create_alias(self, **request: str) -> None:
        """Make one; there is none of that name."""
        if request["Name"] in self.aliases[request["FunctionName"]]:
            raise self.exceptions.ResourceConflictException
        self.update_alias(**request)


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

    with pytest.raises(RollbackError, match="no release before"):
        first.roll_back()

    assert first.live() == ["a", "a"]


def test_what_was_never_deployed_has_nothing_live() -> None:
    """Functions of an older form of this service are told from those that can go back."""
    with pytest.raises(RollbackError, match="start has no alias `live`: deploy it first"):
        read(Lambda("start"), "start")
