"""Requests as pydantic models: the JSON of the contract, field by field."""

import re
from collections.abc import Mapping
from typing import Annotated, Any, Final, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator
from pydantic.alias_generators import to_camel

from domain import names
from domain.errors import InvalidInput
from domain.streams import CEILING

# The validators decide. `examples` and `json_schema_extra` hold what JSON Schema can express of them.
UserId = Annotated[
    str,
    AfterValidator(names.check_user_id),
    Field(
        default_factory=str,  # empty, which is not a user id: a token names the user
        description=f"1 to {names.MAX_USER_ID_BYTES} UTF-8 bytes, not blank, no control characters. "
        "Required, unless a token names the user.",
        examples=["1"],
        json_schema_extra={"minLength": 1, "maxLength": names.MAX_USER_ID_BYTES},
    ),
]
RequiredUserId = Annotated[
    str,
    AfterValidator(names.check_user_id),
    Field(
        description="The user, as players or their tokens name it.",
        examples=["1"],
        json_schema_extra={"minLength": 1, "maxLength": names.MAX_USER_ID_BYTES},
    ),
]

StreamId = Annotated[
    str,
    AfterValidator(names.check_stream_id),
    Field(
        description="Chosen by the player, one per screen: it stays the same over plays and reloads.",
        examples=["tv-1"],
        json_schema_extra={"pattern": f"^{names.STREAM_ID_PATTERN}$"},
    ),
]
Play = Annotated[
    str,
    AfterValidator(names.check_play),
    Field(
        description="A nonce, as random as a streamId; only beside a streamId. It is new with each page load "
        "and with each start that follows an end. A late heartbeat or end, of another play, has no effect.",
        examples=["k3Xv9"],
        json_schema_extra={"pattern": f"^{names.STREAM_ID_PATTERN}$"},
    ),
]
PathPrefix = Annotated[
    str,
    AfterValidator(names.check_path_prefix),
    Field(
        description="The path that the stream's playback token opens; only beside a streamId, and only in a "
        "signed request of a backend.",
        examples=["/film-1/"],
        json_schema_extra={"pattern": f"^{names.PATH_PREFIX_PATTERN}$", "maxLength": names.MAX_PATH_PREFIX},
    ),
]
Device = Annotated[
    str,
    AfterValidator(names.check_device),
    Field(
        description=f"A label for people, 1 to {names.MAX_DEVICE_BYTES} UTF-8 bytes; only beside a streamId.",
        examples=["living room"],
        json_schema_extra={"minLength": 1, "maxLength": names.MAX_DEVICE_BYTES},
    ),
]
MaxStreams = Annotated[
    int,
    Field(
        ge=0,
        le=CEILING,
        description="The user's limit, in place of the default; only in a signed request of a backend.",
        examples=[5],
    ),
]


Groups = Annotated[
    tuple[str, ...],
    AfterValidator(names.check_groups),
    Field(
        strict=False,  # JSON has arrays, and no tuples
        description=f"The configured groups that the stream is counted in too, {names.MAX_GROUPS} at most, "
        "such as its quality or its place; only beside a streamId.",
        examples=[["uhd"]],
        json_schema_extra={
            "maxItems": names.MAX_GROUPS,
            "uniqueItems": True,
            "items": {"type": "string", "pattern": f"^{names.GROUP_PATTERN}$"},
        },
    ),
]
GroupLimits = Annotated[
    dict[str, Annotated[int, Field(ge=0, le=CEILING)]],
    Field(
        description="The user's limits of groups, in place of the configured ones; only in a signed request "
        "of a backend.",
        examples=[{"uhd": 2}],
    ),
]


class RequestModel(BaseModel):
    """JSON in camelCase, with exactly the stated fields and types."""

    model_config = ConfigDict(alias_generator=to_camel, extra="forbid", strict=True, frozen=True)

    @classmethod
    def without_unknown(cls, given: Mapping[str, Any]) -> dict[str, Any]:
        """Return the fields without those that the API does not know, which would be refused.

        A field of the API in another spelling stays, and is refused: without its `streamID`, for example, a
        named stream would be anonymous. A field of other routes is removed: a later release may have it here.
        """
        known = _names(cls)
        return {name: value for name, value in given.items() if name in known or _is_misspelled(name)}


_OF_NAMED_STREAMS: Final = ("replaces", "device", "play", "pathPrefix", "groups")


class StartBody(RequestModel):
    """`POST /stream/start`. Without `streamId` the stream is anonymous: only counted."""

    model_config = ConfigDict(
        json_schema_extra={"dependentRequired": {field: ["streamId"] for field in _OF_NAMED_STREAMS}}
    )

    user_id: UserId
    stream_id: StreamId | None = None
    device: Device | None = None
    replaces: StreamId | None = None
    play: Play | None = None
    path_prefix: PathPrefix | None = None
    groups: Groups = ()
    max_streams: MaxStreams | None = None
    group_limits: GroupLimits | None = None

    @model_validator(mode="after")
    def _names_are_consistent(self) -> Self:
        if self.stream_id is None:
            of_named = (self.replaces, self.device, self.play, self.path_prefix, self.groups or None)
            for field, value in zip(_OF_NAMED_STREAMS, of_named, strict=True):
                if value is not None:
                    raise InvalidInput(field, "must come with a streamId")
        elif self.replaces == self.stream_id:
            raise InvalidInput("replaces", "must differ from streamId")
        return self


class HeartbeatBody(RequestModel):
    """`POST /stream/heartbeat`."""

    user_id: UserId
    stream_id: StreamId
    play: Play | None = None


class EndBody(RequestModel):
    """`POST /stream/end`. Without `streamId` it ends an anonymous stream."""

    model_config = ConfigDict(
        json_schema_extra={"dependentRequired": {"play": ["streamId"], "groups": ["streamId"]}}
    )

    user_id: UserId
    stream_id: StreamId | None = None
    play: Play | None = None
    groups: Groups = ()

    @model_validator(mode="after")
    def _requires_a_stream(self) -> Self:
        if self.stream_id is None:
            for field, value in (("play", self.play), ("groups", self.groups or None)):
                if value is not None:
                    raise InvalidInput(field, "must come with a streamId")
        return self


def _number(text: str) -> object:
    """Return the number in a query, or the text itself if it is not a number."""
    return int(text) if re.fullmatch("[0-9]{1,2}", text) else text


class ListQuery(RequestModel):
    """The query of `GET /stream`."""

    user_id: UserId
    max_streams: Annotated[MaxStreams, BeforeValidator(_number)] | None = None


def _names(model: type[RequestModel]) -> frozenset[str]:
    """Return the names of the fields that a model has."""
    return frozenset(str(field.alias) for field in model.model_fields.values())


def _letters(name: str) -> str:
    """Return the part of a field's name that all its spellings share."""
    return name.casefold().replace("_", "").replace("-", "")


FIELDS: Final = {_letters(name): name for name in (*_names(StartBody), "playbackToken")}
"""Every field of the API by its letters: a start has all of them but one of the heartbeat URL's."""


def _is_misspelled(name: str) -> bool:
    """Return whether this is a field of the API in another spelling."""
    return FIELDS.get(_letters(name), name) != name
