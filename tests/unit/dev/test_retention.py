"""Which versions `make deploy` deletes, and which it never does."""

import pytest

from dev.operate.retention import delete_old_versions, kept_releases
from dev.operate.stage import StackError
from tests.unit.dev.published import Lambda

NAMES = ("start", "end")


@pytest.fixture
def stage() -> Lambda:
    """A stage of two functions with five releases."""
    functions = Lambda(*NAMES)
    for release in "abcde":
        functions.deploy(release)
    return functions


def kept(stage: Lambda, keep: int) -> list[list[int]]:
    """The versions that each function has afterwards."""
    delete_old_versions(stage, NAMES, keep)
    return [stage.numbers(name) for name in NAMES]


@pytest.mark.parametrize(
    ("keep", "numbers"), [(2, [4, 5]), (3, [3, 4, 5]), (5, [1, 2, 3, 4, 5]), (9, [1, 2, 3, 4, 5])]
)
def test_all_but_the_newest_versions_are_deleted(keep: int, numbers: list[int], stage: Lambda) -> None:
    """Each costs for as long as it is there; of fewer than that none is deleted."""
    assert kept(stage, keep) == [numbers, numbers]


def test_each_kept_release_can_be_rolled_back_to(stage: Lambda) -> None:
    """With three releases two rollbacks find their way."""
    kept(stage, 3)

    stage.roll_back()
    assert stage.live() == ["d", "d"]

    stage.roll_back()
    assert stage.live() == ["c", "c"]


def test_what_failed_deployments_published_takes_the_place_of_no_release(stage: Lambda) -> None:
    """The release before the live one stays, however many versions of one function came between."""
    for failed in ("f1", "f2", "f3"):
        stage.publish(failed, "start")
    stage.deploy("g")
    assert kept(stage, 2) == [[5, 8, 9], [5, 6]]

    stage.roll_back()

    assert stage.live() == ["e", "e"]


def test_a_withdrawn_release_takes_the_place_of_no_release(stage: Lambda) -> None:
    """A rollback never goes to it: it is deleted with its mark, and the sound one before it stays."""
    stage.roll_back()  # from e to d
    stage.deploy("mended")
    assert kept(stage, 2) == [[4, 6], [4, 6]]
    assert [sorted(aliases) for aliases in stage.aliases.values()] == [["live"], ["live"]]

    stage.roll_back()

    assert stage.live() == ["d", "d"]


def test_nothing_newer_than_the_live_version_is_deleted(stage: Lambda) -> None:
    """After a rollback Terraform still means the newest version, and would move the alias to it."""
    stage.roll_back()

    assert kept(stage, 2) == [[3, 4, 5], [3, 4, 5]]


def test_a_version_with_an_alias_stays(stage: Lambda) -> None:
    """Somebody else may call it."""
    stage.create_alias(FunctionName="start", Name="old-players", FunctionVersion="1")

    assert kept(stage, 2) == [[1, 4, 5], [4, 5]]


def test_a_version_that_gets_a_share_of_an_alias_stays(stage: Lambda) -> None:
    """Traffic may be split by hand."""
    stage.weights["end"] = {"2": 0.1}

    assert kept(stage, 2) == [[4, 5], [2, 4, 5]]


def test_a_function_that_is_new_leaves_the_others_their_versions(stage: Lambda) -> None:
    """No release is common to all then, and nothing is deleted in place of one."""
    stage.versions["list"] = []
    stage.aliases["list"] = {}
    stage.deploy("f")

    delete_old_versions(stage, (*NAMES, "list"), 2)

    assert [stage.numbers(name) for name in (*NAMES, "list")] == [[5, 6], [5, 6], [1]]


def test_three_releases_are_kept_unless_another_number_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    """KEEP_VERSIONS says how many."""
    monkeypatch.delenv("KEEP_VERSIONS", raising=False)
    assert kept_releases() == 3

    monkeypatch.setenv("KEEP_VERSIONS", "10")
    assert kept_releases() == 10


@pytest.mark.parametrize("number", ["1", "0", "-3", "all", "2.5"])
def test_a_number_that_leaves_no_way_back_is_refused(number: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The live release and the one before it are the least."""
    monkeypatch.setenv("KEEP_VERSIONS", number)

    with pytest.raises(StackError, match="KEEP_VERSIONS must be a whole number of at least 2"):
        kept_releases()
