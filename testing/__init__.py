"""Stand-ins that tests and proofs share: clocks and repositories set by hand, a wire that breaks, stores.

`room` is a second meaning of the limits, to compare decisions with.

This package has no tests or proofs, and imports none.
"""
