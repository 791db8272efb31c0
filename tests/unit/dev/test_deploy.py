"""The stages that `make deploy` and `make remote-state` accept and refuse."""

import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from dev.operate import deploy
from dev.operate.deploy import chosen_stack, common_hash_key, tidy_up
from dev.operate.remote_state import use_remote_state
from dev.operate.stage import StackError
from dev.tools.terraform import CONFIGURATION, STATES


@pytest.fixture(autouse=True)
def stage(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Return a stage of these tests' own, without a file."""
    name = f"t{secrets.token_hex(4)}"
    monkeypatch.setenv("STAGE", name)
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    monkeypatch.delenv("BACKEND_CONFIG", raising=False)
    yield name
    (STATES / f"{name}.tfstate").unlink(missing_ok=True)


@pytest.mark.parametrize("name", ["dev", "prod"])
def test_a_stage_has_the_settings_of_its_name(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """STAGE selects the file with the stage's settings."""
    monkeypatch.setenv("STAGE", name)

    assert chosen_stack().variable_files == [CONFIGURATION / "stages" / f"{name}.tfvars"]


PARAMETER: Final = "TF_VAR_log_hash_key_parameter"


def test_a_stage_has_a_common_hash_key(stage: str) -> None:
    """Terraform gets the name of the stage's own parameter, by the variable's weakest source."""
    key = common_hash_key(stage)

    assert key is not None
    assert key.name == f"/stream-limiter-{stage}-log-hash-key"
    assert chosen_stack().environment[PARAMETER] == key.name


@pytest.mark.parametrize(
    ("line", "keys"),
    [
        ('log_hash_key_parameter = "/ours"', 0),
        ('  log_hash_key="pepper"', 0),
        ('log_hash_key_parameter = ""', 0),
        ('# log_hash_key_parameter = "/ours"', 1),
        ('alarm_email = "log_hash_key=@example.com"', 1),
    ],
)
def test_settings_that_name_a_hash_key_keep_it(
    line: str, keys: int, stage: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Settings that name a hash key keep it; with an empty name each process takes a random key."""
    monkeypatch.setattr(deploy, "CONFIGURATION", tmp_path)
    (tmp_path / "stages").mkdir()
    (tmp_path / "stages" / f"{stage}.tfvars").write_text(f'auth = "iam"\n{line}\n')

    made = [key.name for key in [common_hash_key(stage)] if key]
    given = [value for name, value in chosen_stack().environment.items() if name == PARAMETER]
    assert len(made) == keys
    assert given == made


@pytest.mark.parametrize("name", ["log_hash_key", "log_hash_key_parameter"])
def test_a_hash_key_in_the_environment_is_kept(
    name: str, stage: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A hash key in the environment is kept, because Terraform reads the variable from there."""
    monkeypatch.setenv(f"TF_VAR_{name}", "/ours")

    assert common_hash_key(stage) is None
    assert chosen_stack().environment.get(PARAMETER) == ("/ours" if "parameter" in name else None)


def test_the_default_stage_is_dev(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a name the stage is `dev`, because a mistaken deployment should be disposable."""
    monkeypatch.delenv("STAGE")

    assert chosen_stack().stage == "dev"


def test_a_stage_without_a_file_has_the_defaults(stage: str) -> None:
    """A stage without a file has the defaults, and its state on this machine."""
    stack = chosen_stack()

    assert (stack.stage, stack.variable_files, stack.backend_config) == (stage, [], None)
    assert stack.state == STATES / f"{stage}.tfstate"


def test_a_missing_remote_state_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A missing remote state is an error: a misspelled file would mean a second stage, with local state."""
    monkeypatch.setenv("BACKEND_CONFIG", str(tmp_path / "misspelled.s3.tfbackend"))

    with pytest.raises(StackError, match=r"misspelled\.s3\.tfbackend is missing: run `make remote-state`"):
        chosen_stack()


def test_a_local_state_beside_an_empty_remote_one_is_refused(
    stage: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An empty remote state beside a local one is refused: it would create everything a second time."""
    backend = tmp_path / "states.s3.tfbackend"
    backend.touch()
    monkeypatch.setenv("BACKEND_CONFIG", str(backend))
    assert chosen_stack().backend_config == backend
    STATES.mkdir(exist_ok=True)
    (STATES / f"{stage}.tfstate").touch()

    with pytest.raises(StackError, match=f"The state of {stage} is still on this machine"):
        chosen_stack()


def test_the_emulators_stage_is_not_deployed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The emulator's stage, whose name belongs to `make up`, is not deployed."""
    monkeypatch.setenv("STAGE", "local")

    with pytest.raises(StackError, match="use `make up`"):
        chosen_stack()


def test_a_deployment_succeeds_where_old_versions_cannot_be_deleted(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A deployment whose old versions cannot be deleted is live, so it succeeds with a warning."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")

    tidy_up({"start": "stream-limiter-dev-start"}, 3)

    assert "Old versions of the functions were not deleted: " in capsys.readouterr().err


def test_a_bucket_must_be_named() -> None:
    """The bucket must be given, because no default name would be free."""
    with pytest.raises(StackError, match="Which bucket"):
        use_remote_state()
