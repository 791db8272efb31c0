"""The service that most tests here call."""

import pytest

from testing.fakes import FakeClock, RecordingRepository
from tests.unit.entrypoints.calls import Api


@pytest.fixture
def clock() -> FakeClock:
    """A clock that stands still."""
    return FakeClock()


@pytest.fixture
def repository() -> RecordingRepository:
    """Streams in memory."""
    return RecordingRepository()


@pytest.fixture
def api(repository: RecordingRepository, clock: FakeClock) -> Api:
    """The service with its default settings."""
    return Api(repository, clock)
