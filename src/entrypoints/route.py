"""The base of every route: from the Lambda event to the answer, with one logged event."""

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, ClassVar, Generic, Protocol, TypeVar

from adapters.store_calls import StoreCalls
from domain.errors import LimitReached, StateRefusal, StreamGone, TooManyStarts
from domain.limiter import Answer, Reply, StreamLimiter
from domain.policy import Outcome
from entrypoints import bootstrap
from entrypoints.answer_models import AnswerModel, HoldAnswer, Problem
from entrypoints.bootstrap import Service
from entrypoints.event_log import EventLog, emergency_log
from entrypoints.http_request import HttpRequest
from entrypoints.metrics import embedded
from entrypoints.problems import DENIED, FAILED, RETRY_AFTER_SECONDS, RULES, problem_for, rule_for
from entrypoints.settings import SettingsError


class Command(Protocol):
    """A request to the domain, which is always about one user."""

    @property
    def user_id(self) -> str:
        """The user."""
        ...

    @property
    def limit(self) -> int | None:
        """The number of streams that the user may have; `None` where no limit applies."""
        ...


CommandT = TypeVar("CommandT", bound=Command)
AnswerT = TypeVar("AnswerT", bound=Reply)


@dataclass(frozen=True, slots=True)
class Route(Generic[CommandT, AnswerT]):
    """One route: a callable that Lambda can invoke as `handler(event, context)`.

    Attributes:
        key: API Gateway's name for it, such as `POST /stream/start`.
        decode: reads the command from the request.
        use_case: carries out the command.
        encode: turns the result into an answer of the contract.
    """

    key: str
    decode: Callable[[HttpRequest, Service], CommandT]
    use_case: Callable[[StreamLimiter, CommandT], AnswerT]
    encode: Callable[[CommandT, AnswerT, Service], AnswerModel]

    may_ignore_unknown_fields: ClassVar[bool] = True
    """Whether `UNKNOWN_FIELDS=ignore` applies to the route."""

    def __call__(self, event: Mapping[str, Any], context: Any) -> dict[str, Any]:
        """Answer one event of API Gateway (payload format 2.0)."""
        try:
            service = bootstrap.service()
        except SettingsError as error:
            return self._answer_wrong_settings(event, context, error)
        return self.serve(event, context, service)

    def serve(self, event: Mapping[str, Any], context: Any, service: Service) -> dict[str, Any]:
        """Answer one event with this service."""
        started = service.clock.monotonic()
        service.store_calls.reset()
        request = HttpRequest(event, service.ignores_unknown_fields and self.may_ignore_unknown_fields)
        record = self._record(request, context, service.log)
        failure: Exception | None = None
        result: Reply | Exception
        try:
            command = self.decode(request, service)
            record["user"] = service.log.user_hash(command.user_id)
            if command.limit is not None:
                record["limit"] = command.limit
            result = answer = self.use_case(service.limiter, command)
            status, body = HTTPStatus.OK, self.encode(command, answer, service)
            record["outcome"] = str(answer.outcome)
        except Exception as error:  # noqa: BLE001 - the table answers every error, an unknown one by a 500
            result = error
            rule = rule_for(error)
            status, body = rule.status, problem_for(error, request.request_id)
            record["outcome"] = rule.outcome
            record["code"] = rule.code
            if rule.outcome == DENIED:
                record.pop("user", None)  # any caller can name that user
            failure = error if rule.outcome == FAILED else None
        record |= _result_fields(result)
        record["status"] = int(status)
        record |= _cost_fields(service.store_calls, service.clock.monotonic() - started)
        reclaimed, evicted = (result.reclaimed, result.evicted) if isinstance(result, Answer) else (0, 0)
        record |= embedded(record["outcome"], service.clock.now(), reclaimed=reclaimed, evicted=evicted)
        if failure is None:
            service.log.request(**record)
        else:
            service.log.failure(failure, **record)
        return _response(status, body, service.cookie_domain)

    def _answer_wrong_settings(
        self, event: Mapping[str, Any], context: Any, error: SettingsError
    ) -> dict[str, Any]:
        """Answer an event without a service. Only the log shows the cause."""
        request, log = HttpRequest(event), emergency_log()
        status = rule_for(error).status
        record = self._record(request, context, log)
        record |= {"outcome": FAILED, "code": "wrong_settings", "status": int(status)}
        record |= _cost_fields(StoreCalls(), 0.0)
        record |= embedded(FAILED, time.time())
        log.failure(error, **record)
        return _response(status, problem_for(error, request.request_id))

    def _record(self, request: HttpRequest, context: Any, log: EventLog) -> dict[str, Any]:
        """Return the part of the request's event that is known before the answer."""
        record = {
            "route": self.key,
            "request_id": request.request_id,
            "lambda_request_id": getattr(context, "aws_request_id", ""),
            "function": getattr(context, "function_name", "local"),
            "cold_start": log.is_first(),
        }
        if trace_id := os.environ.get("_X_AMZN_TRACE_ID"):  # Lambda sets it for each request
            record["trace_id"] = trace_id
        return record


def _result_fields(result: Reply | Exception) -> dict[str, Any]:
    """Return what the event shows of the user's streams."""
    fields: dict[str, Any] = {}
    if isinstance(result, (Answer, StateRefusal)):
        fields["stream_count"] = result.live.count
    full = result.full if isinstance(result, (Answer, LimitReached)) else None
    if full is not None and full.group is not None:
        fields["limit_group"] = full.group
    if isinstance(result, Answer) and result.outcome is Outcome.WOULD_REFUSE:
        fields["code"] = RULES[LimitReached if full else TooManyStarts].code
    if isinstance(result, StreamGone) and result.reason is not None:  # but not `by`: a personal text
        fields["gone_reason"] = str(result.reason)
    return fields


def _cost_fields(calls: StoreCalls, seconds: float) -> dict[str, Any]:
    """Return the store calls of a request, and the duration of the whole."""
    return {
        "store_calls": calls.count,
        "contention_rounds": calls.contention_rounds,
        "store_request_ids": calls.request_ids,
        "store_ms": round(calls.seconds * 1000, 3),
        "duration_ms": round(seconds * 1000, 3),
    }


def _response(status: HTTPStatus, body: AnswerModel, cookie_domain: str = "") -> dict[str, Any]:
    """Return the answer in API Gateway's payload format 2.0."""
    headers = {"content-type": "application/json", "cache-control": "no-store"}
    if isinstance(body, Problem):
        headers["content-type"] = "application/problem+json"
        if status is HTTPStatus.TOO_MANY_REQUESTS:
            headers["retry-after"] = str(body.retry_after_seconds)
        elif status is HTTPStatus.SERVICE_UNAVAILABLE:
            headers["retry-after"] = str(RETRY_AFTER_SECONDS)
    answer: dict[str, Any] = {"statusCode": int(status), "headers": headers, "body": body.to_json()}
    if cookie_domain and isinstance(body, HoldAnswer) and body.playback_token:
        answer["cookies"] = [_cookie(body.playback_token, body.expires_in_seconds or 0, cookie_domain)]
    return answer


def _cookie(token: str, seconds: int, domain: str) -> str:
    """Return the cookie for the CDN, as a plain `<video>` and native HLS can send a token in no other way."""
    return f"CAT={token}; Domain={domain}; Path=/; Max-Age={seconds}; Secure; HttpOnly; SameSite=None"
