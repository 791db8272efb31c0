"""The rules as a small explicit-state model, explored exhaustively within stated bounds.

Players of one user send requests; hosts with skewed clocks handle them by the domain's own
decisions, one write after another; replies get lost, hosts give up and leave a write behind that
the network may deliver at any later time, and packets arrive twice. Between any two steps the
clock may tick. Every state that can be reached is visited once, breadth first, so a violation's
story is a shortest one.

Bounds: two players with two or three requests each and one repeated packet; one lost reply or one
write left behind per story; hosts' clocks apart by nothing or by the grace; whole seconds.
With playback tokens up to seven requests each, and either a repeated packet or a loss, or neither.
A player's tokens are those of its answers. The edge's clock is the true time, which no host's is
behind of, so that the edge takes a token for as long as it may.
"""
