"""`make prove`: the promises of the service, tested by several methods. `docs/proof.md` describes them.

Each module of this package except `__main__` is one proof; `make prove ARGS=…` accepts its name. The packages
hold what the proofs share.
"""
