"""Bodies that the heartbeat URL receives, which no other function loads."""

from typing import Annotated

from pydantic import Field

from entrypoints.request_models import Play, RequestModel, RequiredUserId, StreamId


class RenewalBody(RequestModel):
    """A heartbeat by the heartbeat URL. The token stands for a login, and is for this user's stream alone."""

    user_id: RequiredUserId
    stream_id: StreamId
    play: Play | None = None
    playback_token: Annotated[
        str,
        Field(
            description="The newest playback token of the stream; it may have ended a lease ago.",
            examples=["2D3RhEOhAQWhBEYyMDI2LWFY …"],
        ),
    ]
