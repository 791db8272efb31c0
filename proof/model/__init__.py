"""The rules as a small explicit-state model, explored exhaustively within stated bounds.

Players of one user send requests; hosts with skewed clocks handle them by the domain's own decisions, one
write after another; replies are lost; hosts give up and leave a write behind that the network may deliver at
any later time; packets arrive twice. The clock may tick between any two steps. Every reachable state is
visited once, breadth first, so the story of a violation is a shortest one.

Bounds: two players with two or three requests each and one repeated packet; one lost reply or one write left
behind per story; hosts' clocks that are equal or differ by the grace; whole seconds. With playback tokens, up
to seven requests each, and either a repeated packet, or a loss, or neither. A player's tokens are those of
its answers. The edge's clock is the true time, and no host's clock is behind it, so that the edge accepts a
token for as long as possible.
"""
