"""What callers send, as pydantic models: the contract's JSON, field by field."""

from typing import Annotated, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, model_validator
from pydantic.alias_generators import to_camel

from domain import names
from domain.errors import InvalidInput

UserId = Annotated[str, AfterValidator(names.check_user_id)]
StreamId = Annotated[str, AfterValidator(names.check_stream_id)]
Device = Annotated[str, AfterValidator(names.check_device)]


class RequestModel(BaseModel):
    """JSON in camelCase, of exactly the stated types, with no field that is not stated."""

    model_config = ConfigDict(alias_generator=to_camel, extra="forbid", strict=True, frozen=True)


class StartBody(RequestModel):
    """`POST /stream/start`. Without `streamId` the stream is anonymous: only counted."""

    user_id: UserId
    stream_id: StreamId | None = None
    device: Device | None = None
    replaces: StreamId | None = None

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


class ListQuery(RequestModel):
    """The query of `GET /stream`."""

    user_id: UserId
