"""Each command of the README and the quick start does what it says, in a copy like a clone."""

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

import pytest

from dev.emulators.ministack import environment_for, start_emulator
from dev.local.local_service import LocalService
from tests.e2e.support.deployment import need_the_tools
from tests.support.commands import skip_or_fail, succeed
from tests.support.service import client_of

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

ROOT: Final = Path(__file__).parents[2]
OURS: Final = (
    ".git*",
    ".cache",
    ".venv*",
    ".state",
    "build",
    "node_modules",
    "*_cache",
    "__pycache__",
    ".hypothesis",
)
SHARED: Final = (
    ".cache",
    ".venv",
    ".venv-emulator",
    ".venv-openapi",
    ".venv-docs",
    "clients/js/node_modules",
    "dev/local/page/node_modules",
)

ENVIRONMENT: Final = {
    name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "TF_VAR_"))
}
"""The environment without what the make that runs this test passes down to the makes beneath it."""

RUN: Final = ("make run", "make run LEASE_SECONDS=15")
ON_THE_EMULATOR: Final = (
    "make up",
    "make logs FN=start",
    "make deploy STAGE=dev",
    'make streamctl STAGE=dev ARGS="show 1"',
    "make undeploy STAGE=dev",
    "make down",
)
MEASURING: Final = ("make bench", "make prove")
ELSEWHERE: Final = {
    "make test": "this very run",
    "make docs": "test_docs.py",
    "make help-all": "test_help.py",
    "make remote-state": "test_rollout.py",
    "make rollback STAGE=dev": "test_rollout.py, which has a release to go back to",
}


def commands(document: str = "README.md") -> list[str]:
    """Return each line of each block of shell, and each make in the text, without comments."""
    text = (ROOT / document).read_text(encoding="utf-8")
    blocks = re.findall(r"^```sh\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    lines = [line.partition("  # ")[0].strip() for block in blocks for line in block.splitlines()]
    return [line for line in lines if line] + re.findall(r"`(make [^`]+)`", text)


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the repository without what has been built in it; the environments are shared."""
    copy = tmp_path_factory.mktemp("clone") / "stream-limiter"
    shutil.copytree(ROOT, copy, ignore=shutil.ignore_patterns(*OURS))
    for name in SHARED:
        (copy / name).symlink_to(ROOT / name)
    return copy


def make(clone: Path, command: str, environment: Mapping[str, str]) -> str:
    """Run a command that the README has; return its output."""
    assert command in commands()
    return succeed(*shlex.split(command), cwd=clone, env=environment)


def test_every_command_of_the_readme_has_a_test() -> None:
    """Every command of the README has a test here, and the quick start has no others."""
    makes, quick = (
        {command for command in commands(document) if not command.startswith("curl ")}
        for document in ("README.md", "docs/quick-start.md")
    )
    assert makes == {*RUN, *ON_THE_EMULATOR, *MEASURING, *ELSEWHERE}
    assert quick <= makes


@pytest.mark.parametrize(("document", "count"), [("README.md", 1), ("docs/quick-start.md", 7)])
def test_each_curl_gets_its_documented_answer(document: str, count: int) -> None:
    """Each curl, in the document's order, gets the answer that its line shows, if any."""
    if shutil.which("curl") is None:
        skip_or_fail("curl is not installed.")
    text = (ROOT / document).read_text(encoding="utf-8")
    curls = re.findall(r"^(curl .*)$", text, re.MULTILINE)
    assert len(curls) == count
    with LocalService() as service:
        for line in curls:
            words = shlex.split(line.replace("http://localhost:3000", service.url), comments=True)
            run = subprocess.run(
                [*words, "--silent", "--noproxy", "*", "--write-out", "\n%{http_code}"],
                capture_output=True,
                text=True,
                check=True,
            )
            body, status = run.stdout.rsplit("\n", 1)
            assert status == "200", (line, body)
            if promised := re.search(r"# 200 (\{.*\})$", line):
                assert json.loads(body) == json.loads(promised[1])


@pytest.mark.parametrize("command", RUN)
def test_make_run(clone: Path, command: str) -> None:
    """`make run` prints its address when it is ready, and ends when it is interrupted."""
    run = subprocess.Popen(
        shlex.split(command),
        cwd=clone,
        env=ENVIRONMENT | {"PORT": "0"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    assert run.stdout
    with run.stdout as output:
        assert any(line.startswith("ready http://localhost:") for line in output)
        os.killpg(run.pid, signal.SIGINT)
        output.read()
    assert run.wait(15) in {0, 2, -signal.SIGINT}  # make's own ways to say that it was interrupted


@pytest.fixture
def account() -> Iterator[dict[str, str]]:
    """Return a running emulator, for `up` to use and for `deploy` in place of AWS."""
    need_the_tools()
    with start_emulator(enforce_iam=True) as emulator:
        yield {
            **ENVIRONMENT,
            **environment_for(emulator.endpoint_url),
            "EMULATOR_PORT": str(emulator.port),
            "AUTO_APPROVE": "1",
            "FOLLOW": "0",
        }


@pytest.mark.long
def test_the_stack_is_deployed_and_destroyed(clone: Path, account: dict[str, str]) -> None:
    """The commands bring the stack up and down on the emulator, which stands for AWS too."""
    outputs = {command: make(clone, command, account) for command in ON_THE_EMULATOR}
    up, _, deployed, shown, undeployed, down = outputs.values()
    assert "API_URL=http" in up
    assert "API_URL=http" in deployed
    assert shown == "1: 0 live, 0 slots taken, 0 of them anonymous\n"
    assert "Destroy complete!" in undeployed
    assert "Down." in down
    assert list((clone / ".state").glob("local.*")) == []
    for stage, command in (("local", up), ("dev", deployed)):
        assert f"Created the key of the log hash: the SSM parameter /stream-limiter-{stage}-" in command
    parameters = client_of(account["AWS_ENDPOINT_URL"], "ssm").describe_parameters()["Parameters"]
    assert parameters == []


@pytest.mark.long
@pytest.mark.parametrize("command", MEASURING)
def test_the_measurements_and_proofs_run(clone: Path, command: str) -> None:
    """The measurements and proofs run in the short forms that the environment selects."""
    short = {"SHORT": "1"} if command == "make bench" else {"MINUTES": "4", "ARGS": "simulation"}
    assert "goal" in make(clone, command, ENVIRONMENT | short)
