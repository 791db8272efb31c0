import json
from collections.abc import Iterator

import pytest

from entrypoints import bootstrap, stream_list, stream_start
from entrypoints.settings import SettingsError
from tests.unit.entrypoints.calls import LambdaContext, event


@pytest.fixture(autouse=True)
def _new_process() -> Iterator[None]:
    """Nothing of a service is kept between tests."""
    bootstrap.service.cache_clear()
    yield
    bootstrap.service.cache_clear()


def test_lambda_calls_a_handler_with_an_event_and_a_context(monkeypatch: pytest.MonkeyPatch) -> None:
    """A handler builds its service out of the environment, and reaches for the store only when it must."""
    monkeypatch.setenv("TABLE_NAME", "streams")
    answer = stream_start.handler(event("start", body="[]"), LambdaContext())

    assert answer["statusCode"] == 400
    assert json.loads(answer["body"])["code"] == "invalid_request"


def test_a_process_has_one_service(monkeypatch: pytest.MonkeyPatch) -> None:
    """Later calls use the connections of the first."""
    monkeypatch.setenv("TABLE_NAME", "streams")

    assert bootstrap.service() is bootstrap.service()


def test_wrong_settings_stop_every_call(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a table no request is served, by an error that says why."""
    monkeypatch.delenv("TABLE_NAME", raising=False)

    for _ in range(2):
        with pytest.raises(SettingsError, match="TABLE_NAME"):
            stream_list.handler(event("list"), LambdaContext())


def test_every_request_without_a_key_has_a_name_of_its_own() -> None:
    """Two calls are never taken for one by accident."""
    names = {bootstrap.random_request_id() for _ in range(1000)}

    assert len(names) == 1000
    assert {len(name) for name in names} == {22}
