"""The caller of a request, its user and its limits, as far as API Gateway has authenticated them."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final

from domain.bounds import Bound
from domain.errors import InvalidInput
from domain.names import check_user_id
from domain.ports import Clock
from domain.streams import CEILING
from entrypoints.groups import is_limit, parse_limits
from entrypoints.http_request import HttpRequest
from entrypoints.settings import Anonymous, Auth

NOT_A_TEXT: Final = re.compile(r"(map)?\[.*\]|\{.*\}|null|<nil>")
"""The texts in which API Gateway passes a claim that is an array, an object or null.

An array is its items in brackets, such as `[admin staff]`: the members of a group would share one limit. AWS
documents none of these forms, so those of other encoders are refused too.
"""


class NotAllowed(Exception):
    """The caller may not ask for this. The text is for logs, and contains no value of the request."""


class Unauthenticated(NotAllowed):
    """The event lacks the fields that API Gateway adds to an authenticated request."""


class InvalidSubject(NotAllowed):
    """The token's claim for the user is missing, or is not a valid user id.

    Attributes:
        claim: the configured name of the claim.
    """

    def __init__(self, claim: str) -> None:
        super().__init__(f"the token's claim {claim} is not a valid user id")
        self.claim = claim


class OtherUser(NotAllowed):
    """The request names another user than its token.

    Attributes:
        claim: the configured name of the claim for the user.
    """

    def __init__(self, claim: str) -> None:
        super().__init__(f"the request names another user than its token's claim {claim}")
        self.claim = claim


class InvalidLimitClaim(NotAllowed):
    """The token's limit is not a whole number from 0 to 20: its issuer or our settings are wrong."""

    detail: ClassVar = f"The token's limit must be a whole number from 0 to {CEILING}."


class InvalidGroupLimitsClaim(InvalidLimitClaim):
    """The token's limits of groups do not have the form of our own setting."""

    detail: ClassVar = f"The token's limits of groups must be name=limit, with limits from 0 to {CEILING}."


@dataclass(frozen=True, slots=True, kw_only=True)
class Callers:
    """The rules by which a request's user and limits are determined.

    Attributes:
        auth: how callers are authenticated.
        user_claim: the token's claim for the user.
        limit_claim: the token's claim for the user's limit.
        default_limit: the limit of a user without one.
        anonymous: whether a stream may be started without a name.
        issues_tokens: whether streams have playback tokens.
        groups: the groups that a stream can be in.
        group_limits_claim: the token's claim for the user's limits of groups.
        default_group_limits: the limits of groups of a user without any.
        session_seconds: how long the holder of a playback token needs no login; 0 = a login is always needed.
    """

    auth: Auth
    user_claim: str
    limit_claim: str
    default_limit: int
    anonymous: Anonymous
    issues_tokens: bool
    groups: frozenset[str]
    group_limits_claim: str
    default_group_limits: Mapping[str, int]
    session_seconds: int

    def user(self, request: HttpRequest, named: str) -> str:
        """Return the user that the request is about.

        Args:
            request: the request.
            named: the valid user id that it names, or an empty text.

        Raises:
            NotAllowed: the caller may not act for that user.
            InvalidInput: the request must name a user.
        """
        if self.auth is Auth.JWT:
            subject = _subject(_claims(request), self.user_claim)
            if named not in {"", subject}:
                raise OtherUser(self.user_claim)
            return subject
        if self.auth is Auth.IAM and not request.authorizer("iam"):
            raise Unauthenticated("no signature was checked")
        if not named:
            raise InvalidInput("userId", "is required")
        return named

    def limit(self, request: HttpRequest, requested: int | None) -> int:
        """Return the limit of the request's user.

        Args:
            request: the request.
            requested: the `maxStreams` that it asks for; only a trusted backend may.

        Raises:
            NotAllowed: the token's limit is not valid.
            InvalidInput: the caller may not ask for a limit.
        """
        if requested is not None:
            if self.auth is not Auth.IAM:
                raise InvalidInput("maxStreams", "is for signed requests of a backend only")
            return requested
        if self.auth is Auth.JWT:
            claim = _claims(request).get(self.limit_claim)
            return self.default_limit if claim is None else _claimed_limit(claim)
        return self.default_limit

    def is_blocked(self, request: HttpRequest) -> bool:
        """Return whether the request's token has the limit 0: its user may not watch any stream."""
        return self.auth is Auth.JWT and _claims(request).get(self.limit_claim) == "0"

    def session_until(self, request: HttpRequest, clock: Clock) -> int | None:
        """Return the time until which the request's playback tokens replace its login; `None` = never.

        It is never later than the end of the login itself.
        """
        if not self.session_seconds:
            return None
        until = math.floor(clock.now()) + self.session_seconds
        if self.auth is Auth.JWT:
            claim = _claims(request).get("exp")
            return until if claim is None else _earlier(until, claim)
        return until

    def group_bounds(
        self, request: HttpRequest, groups: Sequence[str], requested: Mapping[str, int] | None
    ) -> tuple[Bound, ...]:
        """Return the limits of the groups that a stream of the request's user joins.

        Args:
            request: the request.
            groups: the groups that the stream joins.
            requested: the `groupLimits` that it asks for; only a trusted backend may.

        Raises:
            NotAllowed: the token's limits are not valid.
            InvalidInput: a group does not exist, or the caller may not ask for limits.
        """
        if requested is not None:
            if self.auth is not Auth.IAM:
                raise InvalidInput("groupLimits", "is for signed requests of a backend only")
            if not self.groups.issuperset(requested):
                raise InvalidInput("groupLimits", "must name configured groups only")
        if not groups:
            return ()
        if not self.groups.issuperset(groups):
            raise InvalidInput("groups", "must be configured groups")
        limits = {
            **self.default_group_limits,
            **(self._own_group_limits(request) if requested is None else requested),
        }
        return tuple(Bound(limits[group], group) for group in groups if group in limits)

    def _own_group_limits(self, request: HttpRequest) -> Mapping[str, int]:
        claim = _claims(request).get(self.group_limits_claim) if self.auth is Auth.JWT else None
        if claim is None:
            return {}
        try:
            return parse_limits(claim if isinstance(claim, str) else "-")
        except ValueError:
            raise InvalidGroupLimitsClaim("the token's limits of groups are not valid") from None

    def check_anonymous_start(self) -> None:
        """Check that a stream may be started without a name.

        Raises:
            InvalidInput: a name is required.
        """
        if self.anonymous is Anonymous.REFUSE:
            raise InvalidInput("streamId", "is required")

    def check_path_permission(self) -> None:
        """Check that the caller may choose the path that a stream's playback tokens open.

        Raises:
            InvalidInput: the caller may not, or there are no tokens.
        """
        if self.auth is not Auth.IAM:
            raise InvalidInput("pathPrefix", "is for signed requests of a backend only")
        if not self.issues_tokens:
            raise InvalidInput("pathPrefix", "has no effect without a playback key")


def _claims(request: HttpRequest) -> Mapping[str, Any]:
    claims = request.authorizer("jwt").get("claims")
    if not isinstance(claims, Mapping):
        raise Unauthenticated("no token was checked")
    return claims


def _subject(claims: Mapping[str, Any], name: str) -> str:
    """Return the user in the claim of this name."""
    subject = claims.get(name)
    if not isinstance(subject, str) or NOT_A_TEXT.fullmatch(subject):
        raise InvalidSubject(name)
    try:
        return check_user_id(subject)
    except InvalidInput:
        raise InvalidSubject(name) from None


def _earlier(until: int, claim: object) -> int | None:
    """Return the earlier of a time and that of a claim; `None` if the claim is not a number."""
    try:
        claimed = float(claim) if isinstance(claim, str) else math.nan
    except ValueError:
        return None
    return min(until, math.floor(claimed)) if math.isfinite(claimed) else None


def _claimed_limit(claim: object) -> int:
    """Return the limit in a claim, which API Gateway passes as text."""
    if not isinstance(claim, str) or not is_limit(claim):
        raise InvalidLimitClaim(f"the token's limit is not a whole number from 0 to {CEILING}")
    return int(claim)
