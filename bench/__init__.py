"""What a request costs, always beside the bare SDK in the same run: `make bench`."""
