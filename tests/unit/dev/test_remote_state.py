"""The buckets that `make remote-state` accepts. No emulator checks the expected owner: S3 is faked here."""

from collections.abc import Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any, Final

import pytest

from dev.operate.remote_state import use_remote_state
from dev.operate.stage import StackError
from dev.tools.terraform import STATES
from tests.support.loopback import LoopbackServer

BUCKET: Final = "states-of-unit-tests"
OURS, THEIRS = "111111111111", "222222222222"
IDENTITY: Final = f"""<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
<GetCallerIdentityResult><Account>{OURS}</Account></GetCallerIdentityResult></GetCallerIdentityResponse>"""


class Cloud(LoopbackServer):
    """STS, and an S3 with one bucket that is open to everyone, for the calls of `make remote-state`.

    Attributes:
        owner: the account that has the bucket.
        unguarded: the requests about the bucket that expected no owner.
    """

    def __init__(self) -> None:
        self.owner = OURS
        self.unguarded: list[str] = []
        super().__init__(partial(Answer, self))


class Answer(BaseHTTPRequestHandler):
    """An answer of AWS's."""

    def __init__(self, cloud: Cloud, *arguments: Any) -> None:
        self._cloud = cloud
        super().__init__(*arguments)  # which handles the request

    def do_HEAD(self) -> None:
        """Answer HeadBucket: 403 if the owner is another than expected, even for a permitted caller."""
        expected = self.headers["x-amz-expected-bucket-owner"]
        if expected is None:
            self._cloud.unguarded.append(self.path)
        self._answer(200 if expected in {None, self._cloud.owner} else 403)

    def do_POST(self) -> None:
        """Answer GetCallerIdentity."""
        self.rfile.read(int(self.headers["content-length"]))
        self._answer(200, IDENTITY.encode())

    def log_message(self, *_: object) -> None:
        """Print nothing."""

    def _answer(self, status: int, body: bytes = b"") -> None:
        self.send_response(status)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
    """Return the two services, with credentials for them."""
    for name, value in {
        "AWS_REGION": "eu-west-1",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "STAGE": "bucket",
        "BUCKET": BUCKET,
    }.items():
        monkeypatch.setenv(name, value)
    with Cloud() as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL", server.url)
        yield server


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the file of the stage's backend settings."""
    file = tmp_path / "states.s3.tfbackend"
    monkeypatch.setenv("BACKEND_CONFIG", str(file))
    return file


def test_a_bucket_of_the_account_is_accepted(cloud: Cloud, settings: Path) -> None:
    """The caller's own bucket is accepted for the state, after S3 has confirmed its owner."""
    use_remote_state()

    assert f'bucket       = "{BUCKET}"' in settings.read_text()
    assert cloud.unguarded == []


def test_a_bucket_of_another_account_is_refused(cloud: Cloud, settings: Path) -> None:
    """A stranger's bucket that is open to everyone is refused."""
    cloud.owner = THEIRS

    with pytest.raises(StackError, match=f"{BUCKET} does not belong to the account {OURS}"):
        use_remote_state()
    assert not settings.exists()


def test_a_bucket_name_taken_over_by_another_account_is_refused(cloud: Cloud, settings: Path) -> None:
    """A bucket that the caller once made is refused if another account has taken the name over since."""
    cloud.owner = THEIRS
    made_here = STATES / f"state-bucket-{BUCKET}.tfstate"
    made_here.parent.mkdir(exist_ok=True)
    made_here.touch()
    try:
        with pytest.raises(StackError, match="does not belong to the account"):
            use_remote_state()
    finally:
        made_here.unlink()
    assert not settings.exists()
