import json

import pytest

from entrypoints import bootstrap, stream_list, stream_start
from tests.unit.entrypoints.calls import LambdaContext, event

pytestmark = pytest.mark.usefixtures("new_process")


def test_lambda_calls_a_handler_with_an_event_and_a_context(monkeypatch: pytest.MonkeyPatch) -> None:
    """A handler builds its service from the environment, and calls the store only when it has to."""
    monkeypatch.setenv("TABLE_NAME", "streams")
    monkeypatch.setenv("AUTH", "none")
    answer = stream_start.handler(event("start", body="[]"), LambdaContext())

    assert answer["statusCode"] == 400
    assert json.loads(answer["body"])["code"] == "invalid_request"


def test_a_process_has_one_service(monkeypatch: pytest.MonkeyPatch) -> None:
    """Later calls use the connections of the first."""
    monkeypatch.setenv("TABLE_NAME", "streams")

    assert bootstrap.service() is bootstrap.service()


def test_wrong_settings_stop_every_call(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without a table every request is an opaque 500, with an error event that gives the reason."""
    monkeypatch.delenv("TABLE_NAME", raising=False)

    for _ in range(2):
        answer = stream_list.handler(event("list"), LambdaContext())
        assert answer["statusCode"] == 500
        assert json.loads(answer["body"])["code"] == "internal_error"
        assert "TABLE_NAME" not in answer["body"]
        logged = json.loads(capsys.readouterr().out)
        assert (logged["level"], logged["code"], logged["route"]) == (
            "error",
            "wrong_settings",
            "GET /stream",
        )
        assert logged["exception"].startswith("SettingsError: TABLE_NAME is required.")


@pytest.mark.parametrize("client", ["lean", "boto3"])
def test_missing_credentials_are_a_wrong_setting(
    client: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With half of the credentials the error event gives the reason, in either client's words."""
    monkeypatch.setenv("TABLE_NAME", "streams")
    monkeypatch.setenv("STORE_CLIENT", client)
    monkeypatch.setenv("AWS_REGION", "eu-central-1")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")

    assert stream_list.handler(event("list"), LambdaContext())["statusCode"] == 500

    logged = json.loads(capsys.readouterr().out)
    assert (logged["code"], logged["outcome"]) == ("wrong_settings", "failed")
    assert logged["exception"].startswith("SettingsError: DynamoDB cannot be called: ")


def test_requests_without_a_key_are_distinct() -> None:
    """Two calls without a key are never taken for one."""
    names = {bootstrap.random_key() for _ in range(1000)}

    assert len(names) == 1000
    assert {len(name) for name in names} == {22}
