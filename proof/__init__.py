"""`make prove`: the promises of the service, tested by every means there is. `docs/proof.md` has the means.

Each module of this package but `__main__` is one proof, under the name that `make prove ARGS=…` takes. The
packages are what the proofs are made of.
"""
