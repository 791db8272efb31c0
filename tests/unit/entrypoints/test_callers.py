import json
from typing import Any

import pytest

from testing.fakes import RecordingRepository
from tests.unit.entrypoints.calls import CALLS, Api, HttpAnswer, event

SUBJECT = "viewer-1"
UNFIT_LIMITS = [
    "21",
    "-1",
    "+3",
    "3.0",
    "03",
    " 3",
    "",
    "three",
    "true",
    "null",
    "[3]",
    "٣",
    "1e1",
    "9" * 400,
]


HOUSEHOLD_CLAIMS = ["custom:household", "https://example.com/account", "household.id"]
NO_USERS = [
    None,
    "",
    " ",
    "a" * 129,
    "ë" * 65,
    "a\nb",
    "\x00",
    "a\x7f",
    "\ud800",
    1,
    True,
    ["viewer-1"],
    {"id": "viewer-1"},
    "[]",
    "[viewer-1]",
    "[viewer-1 viewer-2]",
    "map[id:viewer-1]",
    '{"id": "viewer-1"}',
    "null",
    "<nil>",
]
"""Not users: the last ones are texts that stand for an array, an object or a null in the token."""


def authorized_by(kind: str, **found: Any) -> dict[str, Any]:
    """Return what API Gateway adds to a request that its authorizer let through."""
    return {**event("start")["requestContext"], "authorizer": {kind: found}}


def token(**claims: Any) -> dict[str, Any]:
    """Return the context of a request with a verified token of `SUBJECT`."""
    return authorized_by("jwt", claims={"sub": SUBJECT, **claims}, scopes=[])


SIGNED = authorized_by(
    "iam", accessKey="AKIA", accountId="123456789012", userArn="arn:aws:iam::123456789012:user/b"
)


def with_user(user_id: str | None, name: str) -> dict[str, Any]:
    """Return the changes to an event that make it name this user, or no user."""
    if name == "list":
        return {"rawQueryString": "" if user_id is None else f"userId={user_id}"}
    body = {key: value for key, value in json.loads(event(name)["body"]).items() if key != "userId"}
    return {"body": json.dumps(body if user_id is None else {**body, "userId": user_id})}


def with_limit(name: str, limit: int) -> dict[str, Any]:
    """Return the changes to an event that make it ask for this limit."""
    if name == "list":
        return {"rawQueryString": f"userId=1&maxStreams={limit}"}
    return {"body": json.dumps({**json.loads(event(name)["body"]), "maxStreams": limit})}


def refusal(answer: HttpAnswer) -> tuple[int, str]:
    """Return the status and the code of a problem."""
    return answer.status, answer.body["code"]


@pytest.mark.parametrize("named", [None, SUBJECT])
def test_a_token_names_the_user(named: str | None, repository: RecordingRepository) -> None:
    """The user is the token's subject, whether the body repeats it or leaves it out."""
    api = Api(repository, AUTH="jwt")

    assert api.call("start_named", requestContext=token(), **with_user(named, "start_named")).status == 200
    listed = api.call("list", requestContext=token(), **with_user(named, "list"))
    assert [stream["streamId"] for stream in listed.body["streams"]] == ["play-1"]
    assert (
        api.call("end_named", requestContext=token(), **with_user(named, "end_named")).body["ended"] is True
    )
    assert {write.user_id for write in repository.writes} == {SUBJECT}


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("other", ["viewer-2", "Viewer-1", "viewer-1.", "1"])
def test_a_token_cannot_act_for_another_user(name: str, other: str, repository: RecordingRepository) -> None:
    """A request that names another user than its token is refused, and nothing is written."""
    answer = Api(repository, AUTH="jwt").call(name, requestContext=token(), **with_user(other, name))

    assert refusal(answer) == (403, "other_user")
    assert repository.writes == []


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("subject", NO_USERS)
def test_a_subject_must_be_a_valid_user(name: str, subject: object, repository: RecordingRepository) -> None:
    """A token whose subject cannot be a user is refused, whichever user the request names."""
    for named in (None, "viewer-1"):
        answer = Api(repository, AUTH="jwt").call(
            name, requestContext=token(sub=subject), **with_user(named, name)
        )
        assert refusal(answer) == (403, "invalid_subject")
    assert repository.writes == []


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("household", [*NO_USERS, "absent"])
def test_the_subject_never_replaces_a_wrong_user_claim(
    name: str, household: object, repository: RecordingRepository
) -> None:
    """The subject never stands in for a user claim that is configured and wrong.

    The refusal names the claim by its setting, and shows nothing of the token.
    """
    claims = {} if household == "absent" else {"custom:household": household}
    api = Api(repository, AUTH="jwt", USER_CLAIM="custom:household")
    for named in (None, SUBJECT):
        answer = api.call(name, requestContext=token(**claims), **with_user(named, name))
        assert refusal(answer) == (403, "invalid_subject")
        assert answer.body["detail"] == (
            "The token's claim custom:household is missing or is not a valid userId."
        )
    assert repository.writes == []


@pytest.mark.parametrize("claim", HOUSEHOLD_CLAIMS)
def test_members_of_a_household_share_its_limit(claim: str, repository: RecordingRepository) -> None:
    """Two subjects with one household are one user: they share one limit and see each other's streams."""
    api = Api(repository, AUTH="jwt", USER_CLAIM=claim, MAX_STREAMS="2")

    def start(subject: str, household: str, stream: str) -> HttpAnswer:
        context = token(sub=subject, **{claim: household})
        return api.call("start", requestContext=context, body=json.dumps({"streamId": stream}))

    assert start("parent", "smith", "tv").status == 200
    assert start("child", "smith", "tablet").status == 200
    refused = start("parent", "smith", "phone")
    assert refusal(refused) == (403, "limit_reached")
    assert {stream["streamId"] for stream in refused.body["streams"]} == {"tv", "tablet"}
    assert start("parent", "jones", "phone").status == 200
    assert {write.user_id for write in repository.writes} == {"smith", "jones"}


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("other", [SUBJECT, "Smith", "jones"])
def test_a_household_cannot_act_for_another_user(
    name: str, other: str, repository: RecordingRepository
) -> None:
    """A request may name the household, but no other user, not even the token's own subject."""
    api = Api(repository, AUTH="jwt", USER_CLAIM="custom:household")
    context = token(**{"custom:household": "smith"})

    answer = api.call(name, requestContext=context, **with_user(other, name))
    assert refusal(answer) == (403, "other_user")
    assert answer.body["detail"] == "userId must be the token's claim custom:household, or be left out."
    assert repository.writes == []
    assert api.call("start", requestContext=context, **with_user("smith", "start")).status == 200


@pytest.mark.parametrize(
    "user", ["a" * 128, "ë" * 64, " a ", "[a", "a]", "a[b]", "nullable", "42", "auth0|5fe4"]
)
def test_a_claim_is_used_unchanged(user: str, repository: RecordingRepository) -> None:
    """A valid user id in a claim is used unchanged, at its longest and with brackets inside too."""
    answer = Api(repository, AUTH="jwt", USER_CLAIM="household").call(
        "start", requestContext=token(household=user), **with_user(None, "start")
    )

    assert answer.status == 200
    assert [write.user_id for write in repository.writes] == [user]


@pytest.mark.parametrize("auth", ["none", "iam"])
def test_the_user_claim_applies_only_to_tokens(auth: str) -> None:
    """Without a token the request names the user, whatever the user claim's setting."""
    api = Api(AUTH=auth, USER_CLAIM="custom:household")

    assert api.call("start", requestContext=SIGNED, **with_user("1", "start")).status == 200


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("auth", ["jwt", "iam", ""])
@pytest.mark.parametrize(
    "authorizer",
    [None, {}, {"lambda": {"sub": SUBJECT}}, {"jwt": None}, {"jwt": {"claims": None}}, {"iam": {}}],
)
def test_no_caller_is_trusted_by_accident(
    name: str, auth: str, authorizer: object, repository: RecordingRepository
) -> None:
    """A route without its authorizer refuses every caller, as do settings that name no authentication."""
    context = {**event(name)["requestContext"], "authorizer": authorizer}
    answer = Api(repository, AUTH=auth).call(name, requestContext=context)

    assert refusal(answer) == (403, "not_allowed")
    assert repository.writes == []


def test_one_authentication_does_not_replace_another() -> None:
    """A token does not pass for a signature, nor a signature for a token."""
    assert refusal(Api(AUTH="iam").call("start", requestContext=token())) == (403, "not_allowed")
    assert refusal(Api(AUTH="jwt").call("start", requestContext=SIGNED)) == (403, "not_allowed")


def test_a_signature_lets_a_backend_name_the_user(repository: RecordingRepository) -> None:
    """A signed request must name a user, and is about that user."""
    api = Api(repository, AUTH="iam")

    assert api.call("start", requestContext=SIGNED, **with_user("viewer-2", "start")).status == 200
    assert [write.user_id for write in repository.writes] == ["viewer-2"]
    unnamed = api.call("start", requestContext=SIGNED, **with_user(None, "start"))
    assert unnamed.status == 400
    assert unnamed.body["errors"] == [{"field": "userId", "detail": "userId is required"}]


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("auth", ["none", "iam"])
def test_without_a_token_the_request_must_name_the_user(name: str, auth: str) -> None:
    """Without a token every call must name its user."""
    answer = Api(AUTH=auth).call(name, requestContext=SIGNED, **with_user(None, name))

    assert (answer.status, answer.body["message"]) == (400, "userId is required.")


@pytest.mark.parametrize(("claim", "limit"), [(None, 3), ("0", 0), ("1", 1), ("20", 20)])
@pytest.mark.parametrize("variable", ["", "plan_streams"])
def test_a_token_can_carry_the_limit(claim: str | None, limit: int, variable: str) -> None:
    """The configured claim is the user's limit; without the claim the default applies."""
    claims = {} if claim is None else {variable or "maxStreams": claim}
    api = Api(AUTH="jwt", LIMIT_CLAIM=variable)
    listed = api.call("list", requestContext=token(**claims), **with_user(None, "list"))

    assert listed.body["maxStreams"] == limit
    started = api.call("start", requestContext=token(**claims), **with_user(None, "start"))
    assert (started.status, started.body["maxStreams"]) == (403 if limit == 0 else 200, limit)


@pytest.mark.parametrize("name", ["start", "start_named", "list"])
@pytest.mark.parametrize("claim", [*UNFIT_LIMITS, 3, ["3"], {}])
def test_a_limit_is_never_guessed(
    name: str, claim: object, capsys: pytest.CaptureFixture[str], repository: RecordingRepository
) -> None:
    """A claim that is not a limit is refused by its own code, and logged as an error for the operator."""
    context = token(maxStreams=claim)
    answer = Api(repository, AUTH="jwt").call(name, requestContext=context, **with_user(None, name))
    written = json.loads(capsys.readouterr().out)

    assert refusal(answer) == (403, "invalid_limit")
    assert (written["level"], written["code"]) == ("error", "invalid_limit")
    assert repository.writes == []


@pytest.mark.parametrize("name", ["heartbeat", "end_named"])
def test_a_limit_claim_matters_only_to_starts(name: str) -> None:
    """A stream continues and ends whatever limit its token holds."""
    api = Api(AUTH="jwt")
    api.call("start_named", requestContext=token(), **with_user(None, "start_named"))
    answer = api.call(name, requestContext=token(maxStreams="x"), **with_user(None, name))

    assert (answer.status, answer.body["streamId"]) == (200, "play-1")


@pytest.mark.parametrize("name", ["start", "start_named", "list"])
def test_a_backend_may_send_a_limit(name: str) -> None:
    """A signed request's limit replaces the default."""
    answer = Api(AUTH="iam").call(name, requestContext=SIGNED, **with_limit(name, 7))

    assert (answer.status, answer.body["maxStreams"]) == (200, 7)


@pytest.mark.parametrize("name", ["start", "start_named", "list"])
@pytest.mark.parametrize("auth", ["none", "jwt"])
def test_only_a_backend_may_send_a_limit(name: str, auth: str) -> None:
    """A player cannot raise its own limit."""
    answer = Api(AUTH=auth).call(name, requestContext=token(sub="1"), **with_limit(name, 7))

    assert refusal(answer) == (400, "invalid_request")
    assert [error["field"] for error in answer.body["errors"]] == ["maxStreams"]
