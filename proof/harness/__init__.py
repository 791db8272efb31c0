"""What several proofs run with: processes, the report, the mutants, requests and states as values."""
