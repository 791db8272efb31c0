"""The cost of a request, always measured in the same run as the bare SDK: `make bench`."""
