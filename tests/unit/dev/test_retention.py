"""The versions that `make deploy` deletes, and those that it never deletes."""

import pytest

from dev.operate.retention import delete_old_versions, kept_releases
from dev.operate.stage import StackError
from tests.unit.dev.published import Lambda

NAMES = ("start", "end")


@pytest.fixture
def stage() -> Lambda:
    """Return a stage of two functions with five releases."""
    functions = Lambda(*NAMES)
    for release in "abcde":
        functions.deploy(release)
    return functions


def kept(stage: Lambda, keep: int) -> list[list[int]]:
    """Return the versions that each function has afterwards."""
    delete_old_versions(stage, NAMES, keep)
    return [stage.numbers(name) for name in NAMES]


@pytest.mark.parametrize(
    ("keep", "numbers"), [(2, [4, 5]), (3, [3, 4, 5]), (5, [1, 2, 3, 4, 5]), (9, [1, 2, 3, 4, 5])]
)
def test_all_but_the_newest_versions_are_deleted(keep: int, numbers: list[int], stage: Lambda) -> None:
    """All versions but the newest ones are deleted, since each costs money; with few versions none is."""
    assert kept(stage, keep) == [numbers, numbers]


def test_each_kept_release_can_be_rolled_back_to(stage: Lambda) -> None:
    """With three releases kept, two rollbacks succeed."""
    kept(stage, 3)

    stage.roll_back()
    assert stage.live() == ["d", "d"]

    stage.roll_back()
    assert stage.live() == ["c", "c"]


def test_versions_of_failed_deployments_do_not_count_as_releases(stage: Lambda) -> None:
    """The previous release stays, however many versions failed deployments published in between."""
    for failed in ("f1", "f2", "f3"):
        stage.publish(failed, "start")
    stage.deploy("g")
    assert kept(stage, 2) == [[5, 8, 9], [5, 6]]

    stage.roll_back()

    assert stage.live() == ["e", "e"]


def test_a_withdrawn_release_does_not_count(stage: Lambda) -> None:
    """A withdrawn release is deleted with its mark: no rollback goes to it. The sound one before it stays."""
    stage.roll_back()  # from e to d
    stage.deploy("repaired")
    assert kept(stage, 2) == [[4, 6], [4, 6]]
    assert [sorted(aliases) for aliases in stage.aliases.values()] == [["live"], ["live"]]

    stage.roll_back()

    assert stage.live() == ["d", "d"]


def test_nothing_newer_than_the_live_version_is_deleted(stage: Lambda) -> None:
    """A version newer than the live one stays: after a rollback Terraform would move the alias to it."""
    stage.roll_back()

    assert kept(stage, 2) == [[3, 4, 5], [3, 4, 5]]


def test_a_version_with_an_alias_stays(stage: Lambda) -> None:
    """A version with an alias stays, because other callers may use it."""
    stage.create_alias(FunctionName="start", Name="old-players", FunctionVersion="1")

    assert kept(stage, 2) == [[1, 4, 5], [4, 5]]


def test_a_version_with_a_share_of_an_alias_stays(stage: Lambda) -> None:
    """A version with a share of an alias stays, because traffic may be split by hand."""
    stage.weights["end"] = {"2": 0.1}

    assert kept(stage, 2) == [[4, 5], [2, 4, 5]]


def test_a_new_function_causes_no_deletion(stage: Lambda) -> None:
    """A new function, which makes no release common to all, causes no deletion."""
    stage.versions["list"] = []
    stage.aliases["list"] = {}
    stage.deploy("f")

    delete_old_versions(stage, (*NAMES, "list"), 2)

    assert [stage.numbers(name) for name in (*NAMES, "list")] == [[5, 6], [5, 6], [1]]


def test_three_releases_are_kept_by_default(monkeypatch: pytest.MonkeyPatch) -> None:
    """KEEP_VERSIONS sets the number of releases that are kept, three by default."""
    monkeypatch.delenv("KEEP_VERSIONS", raising=False)
    assert kept_releases() == 3

    monkeypatch.setenv("KEEP_VERSIONS", "10")
    assert kept_releases() == 10


@pytest.mark.parametrize("number", ["1", "0", "-3", "all", "2.5"])
def test_fewer_than_two_kept_versions_are_refused(number: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """KEEP_VERSIONS must be at least two, for the live release and the previous one."""
    monkeypatch.setenv("KEEP_VERSIONS", number)

    with pytest.raises(StackError, match="KEEP_VERSIONS must be a whole number of at least 2"):
        kept_releases()
