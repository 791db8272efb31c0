"""The service that most tests here call."""

import pytest

from testing.fakes import FakeClock, RecordingRepository
from tests.unit.entrypoints.calls import Api


@pytest.fixture
def clock() -> FakeClock:
    """Return a clock that stands still."""
    return FakeClock()


@pytest.fixture
def repository() -> RecordingRepository:
    """Return streams in memory."""
    return RecordingRepository()


@pytest.fixture
def api(repository: RecordingRepository, clock: FakeClock) -> Api:
    """Return the service with its default settings."""
    return Api(repository, clock)
