from tests.upgrade.record import VARIABLES, record
from tests.upgrade.stories import STORIES


def test_the_handlers_of_a_commit_are_recorded() -> None:
    """A recording of the latest commit has each call's answer and write, and the item that they leave."""
    story = STORIES["replacement"]

    recorded = record("HEAD", VARIABLES, {"viewer": story})["viewer"]

    assert [call["status"] for call in recorded["calls"]] == [200] * len(story)
    assert all(write["lands"] for call in recorded["calls"] for write in call["writes"])
    assert [stream["streamId"] for stream in recorded["answer"]["streams"]] == ["tablet", "phone"]
    assert recorded["item"]["userId"] == {"S": "viewer"}
