"""`make prove`: the promises of the service, tested by every means there is. `docs/proof.md` tells how."""
