"""What callers send, as pydantic models: the contract's JSON, field by field."""

import re
from typing import Annotated, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator
from pydantic.alias_generators import to_camel

from domain import names
from domain.errors import InvalidInput
from domain.streams import CEILING

# The validators decide. What JSON Schema can say of them is in `examples` and `json_schema_extra`.
UserId = Annotated[
    str,
    AfterValidator(names.check_user_id),
    Field(
        default_factory=str,  # empty, which no user id is: a token names the user already
        description=f"1 to {names.MAX_USER_ID_BYTES} UTF-8 bytes, not blank, no control characters. "
        "Required, unless a token names the user.",
        examples=["1"],
        json_schema_extra={"minLength": 1, "maxLength": names.MAX_USER_ID_BYTES},
    ),
]
StreamId = Annotated[
    str,
    AfterValidator(names.check_stream_id),
    Field(
        description="Chosen by the player, new for each play.",
        examples=["tv-1"],
        json_schema_extra={"pattern": f"^{names.STREAM_ID_PATTERN}$"},
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


class RequestModel(BaseModel):
    """JSON in camelCase, of exactly the stated types, with no field that is not stated."""

    model_config = ConfigDict(alias_generator=to_camel, extra="forbid", strict=True, frozen=True)


class StartBody(RequestModel):
    """`POST /stream/start`. Without `streamId` the stream is anonymous: only counted."""

    model_config = ConfigDict(
        json_schema_extra={"dependentRequired": {"device": ["streamId"], "replaces": ["streamId"]}}
    )

    user_id: UserId
    stream_id: StreamId | None = None
    device: Device | None = None
    replaces: StreamId | None = None
    max_streams: MaxStreams | None = None

    @model_validator(mode="after")
    def _names_fit_together(self) -> Self:
        if self.stream_id is None:
            for field in ("replaces", "device"):
                if getattr(self, field) is not None:
                    raise InvalidInput(field, "must come with a streamId")
        elif self.replaces == self.stream_id:
            raise InvalidInput("replaces", "must differ from streamId")
        return self


class HeartbeatBody(RequestModel):
    """`POST /stream/heartbeat`."""

    user_id: UserId
    stream_id: StreamId


class EndBody(RequestModel):
    """`POST /stream/end`. Without `streamId` it ends an anonymous stream."""

    user_id: UserId
    stream_id: StreamId | None = None


def _number(text: str) -> object:
    """The number that a query's text stands for, or the text itself, which is none."""
    return int(text) if re.fullmatch("[0-9]{1,2}", text) else text


class ListQuery(RequestModel):
    """The query of `GET /stream`."""

    user_id: UserId
    max_streams: Annotated[MaxStreams, BeforeValidator(_number)] | None = None
