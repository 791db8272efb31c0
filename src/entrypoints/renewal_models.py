"""The body of a request to the heartbeat URL, which no other function loads."""

from typing import Annotated

from pydantic import Field

from entrypoints.request_models import Play, RequestModel, RequiredUserId, StreamId


class RenewalBody(RequestModel):
    """A heartbeat by the heartbeat URL. The token replaces a login, for this user's stream only."""

    user_id: RequiredUserId
    stream_id: StreamId
    play: Play | None = None
    playback_token: Annotated[
        str,
        Field(
            description="The newest playback token of the stream. It may have expired up to one lease ago.",
            examples=["2D3RhEOhAQWhBEYyMDI2LWFY …"],
        ),
    ]
