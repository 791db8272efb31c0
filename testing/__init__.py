"""Stand-ins that tests and proofs share: clocks and repositories set by hand, a wire that breaks, stores.

Neither a test nor a proof is in here, and nothing in here imports one.
"""
