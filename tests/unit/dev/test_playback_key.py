"""`make playback-key`: what it leaves unchanged and what it refuses, without showing a secret."""

import json
import secrets
from typing import Any, Final

import pytest
from botocore.exceptions import ClientError

from adapters.playback_keys import PlaybackKey
from dev.operate import playback_key
from dev.operate.playback_key import KeysError, chosen, main, revoke, rotate, set_mode, set_paths, show
from dev.operate.rotation import name_of, next_step
from dev.operate.stage import StackError
from tests.edge.tokens import key_text
from tests.unit.dev.key_places import (
    OPENED_AT,
    PARAMETER,
    STORE,
    Interrupted,
    Places,
    silent,
    text_of,
)

KEY: Final = PlaybackKey(name_of(OPENED_AT - 3 * 86_400), b"k" * 32)
Output = pytest.CaptureFixture[str]


@pytest.fixture
def places() -> Places:
    """Return a stage with one key, whose edge enforces."""
    config = {"mode": "enforce", "keys": {KEY.kid: key_text(KEY)}, "paths": {"/uhd/": "uhd"}, "more": [1]}
    return Places(parameter=text_of([KEY]), config=config, kms_key="alias/ours", group_paths={"/uhd/": "uhd"})


def test_every_other_field_at_the_edge_stays(places: Places) -> None:
    """Mode, paths and fields that this version does not know stay as they are."""
    rotate(places.stage(), silent, places.sleep)

    keys = places.config.pop("keys")
    assert places.config == {"mode": "enforce", "paths": {"/uhd/": "uhd"}, "more": [1]}
    assert KEY.kid not in keys


def test_a_parameter_keeps_its_encryption_key(places: Places) -> None:
    """A parameter keeps its own key, because SSM would encrypt an overwritten one under AWS's."""
    rotate(places.stage(), silent, places.sleep)

    assert places.kms_key == "alias/ours"


def test_a_first_parameter_is_encrypted_under_the_named_key() -> None:
    """A first parameter is encrypted under the key that is named, or under AWS's own."""
    for named, expected in (("alias/ours", "alias/ours"), (None, "alias/aws/ssm")):
        places = Places()
        stage = places.stage()
        first = playback_key.Stage(playback_key.Parameter(places, PARAMETER, named), stage.edge)
        rotate(first, silent, places.sleep)
        assert places.kms_key == expected


def test_a_concurrent_change_is_not_overwritten(places: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    """If another operator writes `config` after it was read, nothing is written."""
    read = places.get_key

    def get_key(**which: Any) -> Any:
        found = read(**which)
        places.version += 1
        return found

    monkeypatch.setattr(places, "get_key", get_key)
    before = places.config
    with pytest.raises(ClientError, match="ConflictException"):
        rotate(places.stage(), silent, places.sleep)

    assert places.config == before


def test_a_value_that_the_store_refuses_is_not_sent(places: Places) -> None:
    """A value above the store's 1024 bytes is not sent, because an error of CloudFront's could quote it."""
    places.config["paths"] = {f"/{number}/": "uhd" for number in range(80)}
    with pytest.raises(KeysError, match="above 1024 bytes"):
        rotate(places.stage(), silent, places.sleep)


def test_keys_that_the_service_could_not_read_are_not_written(places: Places) -> None:
    """A fourth key, such as one made by hand, is refused, because service and edge read three at most."""
    by_hand = [PlaybackKey(name, name.encode() * 32) for name in "abc"]
    places.parameter = text_of(by_hand)
    with pytest.raises(ValueError, match="there are 4 playback keys"):
        rotate(places.stage(), silent, places.sleep)

    assert (places.service, places.edge) == (by_hand, [KEY])


def test_an_unreadable_config_is_not_changed(places: Places) -> None:
    """An unreadable config is not changed: the edge refuses everything, and an operator must look."""
    places.config = ["keys"]
    with pytest.raises(KeysError, match="not a JSON object"):
        rotate(places.stage(), silent, places.sleep)

    assert places.config == ["keys"]


def test_a_leaked_key_is_revoked_at_once(places: Places) -> None:
    """After a revocation neither place has any of the earlier keys, even during a rotation."""
    new = PlaybackKey(name_of(OPENED_AT + 60), b"n" * 32)
    places.parameter = text_of([KEY, new])
    revoke(places.stage(), silent)

    (only,) = places.service
    assert only not in {KEY, new}
    assert places.edge == [only]
    assert places.now == OPENED_AT
    assert next_step(places.stage().read()[0], places.now) is None


def test_a_revocation_reaches_the_edge_first(places: Places) -> None:
    """The edge forgets the leaked key first: an interruption then is safe, and a repeat completes it."""
    places.calls_left, places.takes_effect = 5, False
    with pytest.raises(Interrupted):
        revoke(places.stage(), silent)
    assert (KEY in places.service, KEY in places.edge) == (True, False)

    places.calls_left = None
    revoke(places.stage(), silent)
    assert places.service == places.edge


@pytest.mark.parametrize("mode", ["off", "log", "enforce"])
def test_setting_the_mode_leaves_keys_and_paths_unchanged(
    mode: str, places: Places, monkeypatch: pytest.MonkeyPatch, capsys: Output
) -> None:
    """Setting the mode leaves keys, paths and all other fields unchanged."""
    before = {**places.config}
    monkeypatch.setattr(playback_key, "chosen", places.stage)

    assert main([mode]) == 0
    assert places.config == {**before, "mode": mode}
    assert capsys.readouterr().out == f"The edge's mode is now {mode}.\n"


def test_the_stages_paths_are_written_to_the_edge(
    places: Places, monkeypatch: pytest.MonkeyPatch, capsys: Output
) -> None:
    """The stage's paths replace the edge's; keys, mode and all other fields stay."""
    before = {**places.config}
    places.group_paths = {"/4k/hdr/": "hdr", "/4k/": "uhd"}
    monkeypatch.setattr(playback_key, "chosen", places.stage)

    assert main(["paths"]) == 0
    assert places.config == {**before, "paths": {"/4k/hdr/": "hdr", "/4k/": "uhd"}}
    assert capsys.readouterr().out == ("/4k/hdr/ now needs the group hdr.\n/4k/ now needs the group uhd.\n")


def test_removing_the_stages_paths_removes_the_edges(places: Places) -> None:
    """Without `group_paths` no path needs a group; the edge of a stage without keys stays off."""
    messages: list[str] = []
    places.group_paths = {}
    set_paths(places.stage(), messages.append)
    assert (places.config["paths"], places.config["mode"]) == ({}, "enforce")
    assert messages == ["No path needs a group now."]

    places.config = None
    set_paths(places.stage(), silent)
    assert places.config == {"mode": "off", "paths": {}}


def test_paths_leave_room_for_a_rotation(places: Places) -> None:
    """The longest accepted paths fit beside three keys; with a byte more nothing is written."""
    places.config.pop("more")
    keys = {f"{number:016}": key_text(KEY) for number in range(3)}
    rest = len(json.dumps({"mode": "enforce", "keys": keys, "paths": {"//": "uhd"}}, separators=(",", ":")))
    places.group_paths = {f"/{'x' * (1024 - rest)}/": "uhd"}
    set_paths(places.stage(), silent)
    assert places.config["paths"] == places.group_paths
    places.config["keys"] = keys
    assert len(json.dumps(places.config, separators=(",", ":"))) == 1024

    before = {**places.config}
    places.group_paths = {f"/{'x' * (1025 - rest)}/": "uhd"}
    for keys in ({KEY.kid: key_text(KEY)}, places.config["keys"]):
        places.config = {**before, "keys": keys}
        with pytest.raises(KeysError, match="would exceed 1024 bytes by 1 in a rotation"):
            set_paths(places.stage(), silent)
        assert places.config == {**before, "keys": keys}


def test_26_short_paths_leave_room_for_a_rotation(places: Places) -> None:
    """26 short paths, the most that `group_paths` may have, fit, as docs/edge.md says."""
    places.group_paths = {f"/video/path-{number:02}/": "uhd" for number in range(26)}
    set_paths(places.stage(), silent)
    assert places.config["paths"] == places.group_paths


def test_an_edge_without_the_paths_of_the_stage_does_not_enforce(places: Places) -> None:
    """`enforce` is refused without the stage's paths: a group's paths would be open, or tokens refused."""
    places.config["mode"] = "log"
    for paths in ({}, {"/uhd/": "hdr"}, {"/uhd/": "uhd", "/4k/": "uhd"}):
        places.group_paths = paths
        with pytest.raises(KeysError, match="ARGS=paths first"):
            set_mode(places.stage(), silent, "enforce")
        assert places.config["mode"] == "log"


def test_an_edge_that_lacks_a_key_does_not_enforce(places: Places) -> None:
    """`enforce` is refused if the edge lacks a key or the stage has none: it would refuse every viewer."""
    places.config["mode"] = "log"
    for parameter in (None, text_of([PlaybackKey("a", b"a" * 32)])):
        places.parameter = parameter
        with pytest.raises(KeysError, match="ARGS=rotate first"):
            set_mode(places.stage(), silent, "enforce")
        assert places.config["mode"] == "log"


def test_video_can_be_opened_without_the_parameter(places: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    """The mode can be opened while the parameter is unavailable, which is when it is needed."""
    monkeypatch.delattr(Places, "get_parameter")
    set_mode(places.stage(), silent, "log")

    assert places.config["mode"] == "log"


def test_without_an_edge_there_are_no_mode_and_no_paths() -> None:
    """Mode and paths are errors without an edge, because a setting without effect would be trusted."""
    with pytest.raises(KeysError, match="KVS_ARN"):
        set_mode(Places(has_edge=False).stage(), silent, "log")
    with pytest.raises(KeysError, match="KVS_ARN"):
        set_paths(Places(has_edge=False).stage(), silent)


def test_names_and_ages_are_shown(places: Places) -> None:
    """Each key's name, age and use in both places are shown, without its secret."""
    messages: list[str] = []
    show(places.stage(), messages.append)

    assert messages == [
        f"{PARAMETER}: ",
        f"  {KEY.kid}  3 days old, signs",
        f"{STORE}, mode enforce: ",
        f"  {KEY.kid}  3 days old",
        "  /uhd/  needs the group uhd",
    ]


def test_differing_paths_are_shown(places: Places) -> None:
    """Paths that differ from the stage's are shown with the command to update the edge, and not updated."""
    places.group_paths = {}
    messages: list[str] = []
    show(places.stage(), messages.append)

    assert messages[-1] == "The stage's group_paths differ: ARGS=paths copies them to the edge."
    assert places.config["paths"] == {"/uhd/": "uhd"}


def test_a_rotation_in_progress_is_shown(places: Places) -> None:
    """A rotation in progress is shown with its next step, which is not taken."""
    new = PlaybackKey(name_of(OPENED_AT - 90), b"n" * 32)
    places.parameter = text_of([KEY, new])
    messages: list[str] = []
    show(places.stage(), messages.append)

    assert f"  {new.kid}  1 min 30 s old, verifies" in messages
    assert (
        messages[-1]
        == f"A rotation is in progress: ARGS=rotate continues it. Next: the edge knows {new.kid}."
    )
    assert [key.kid for key in places.edge] == [KEY.kid]


def test_missing_keys_are_shown() -> None:
    """Without keys the output says that an edge without `config` refuses everything."""
    messages: list[str] = []
    show(Places().stage(), messages.append)

    assert messages == [f"{PARAMETER}: no keys", f"{STORE}, mode none: every request is refused: no keys"]


def test_an_error_of_aws_is_named_and_not_quoted(
    places: Places, monkeypatch: pytest.MonkeyPatch, capsys: Output
) -> None:
    """An error of AWS's is named and not quoted, because its text may hold the refused value."""

    def put_parameter(**given: str) -> None:
        raise ClientError(
            {"Error": {"Code": "ValidationException", "Message": given["Value"]}}, "PutParameter"
        )

    monkeypatch.setattr(secrets, "token_bytes", lambda count: b"n" * count)
    monkeypatch.setattr(places, "put_parameter", put_parameter)
    monkeypatch.setattr(playback_key, "chosen", places.stage)

    assert main(["rotate"]) == 1
    shown = capsys.readouterr()
    assert shown.err == "PutParameter: ValidationException\n"
    for secret in (b"n" * 32, KEY.secret):
        assert key_text(PlaybackKey("", secret)) not in shown.out + shown.err


def test_a_damaged_parameter_is_not_quoted(
    places: Places, monkeypatch: pytest.MonkeyPatch, capsys: Output
) -> None:
    """The error about a damaged parameter does not have its content."""
    places.parameter = "2026-a:" + "k" * 42
    monkeypatch.setattr(playback_key, "chosen", places.stage)

    assert main([]) == 1
    shown = capsys.readouterr()
    assert shown.err.startswith("playback key 1 is not of the form kid:secret")
    assert "kkk" not in shown.out + shown.err


def test_an_interruption_prints_how_to_continue(
    places: Places, monkeypatch: pytest.MonkeyPatch, capsys: Output
) -> None:
    """Ctrl-C during a wait prints how to continue."""

    def interrupt(_: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(playback_key, "chosen", places.stage)
    monkeypatch.setitem(
        playback_key.COMMANDS, "rotate", lambda stage, report: rotate(stage, report, interrupt)
    )

    assert main(["rotate"]) == 130
    assert capsys.readouterr().err == "Interrupted. The same command continues.\n"


@pytest.mark.parametrize("arguments", [["forget"], ["rotate", "now"]])
def test_an_unknown_command_is_refused(arguments: list[str], capsys: Output) -> None:
    """An unknown command is refused without a call to AWS."""
    assert main(arguments) == 2
    assert capsys.readouterr().err.startswith("usage: make playback-key")


def test_the_edge_must_be_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """The edge must be named, because a rotation without it would cut off every viewer."""
    monkeypatch.setenv("STAGE", "prod")
    monkeypatch.delenv("KVS_ARN", raising=False)

    with pytest.raises(StackError, match="KVS_ARN=none"):
        chosen()
