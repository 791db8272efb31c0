"""What several proofs share: processes, the report, mutants, departures, requests and states as values."""
