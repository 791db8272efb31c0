"""Stand-ins that tests and proofs share: clocks and repositories set by hand, a wire that breaks, stores.

This package has no tests or proofs, and imports none.
"""
