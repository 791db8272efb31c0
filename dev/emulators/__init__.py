"""Stand-ins for AWS on this machine: emulators, Lambda's runtime, CloudFront's functions, a token issuer.

Commands, tests and proofs use them.
"""
