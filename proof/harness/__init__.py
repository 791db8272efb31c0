"""Shared helpers: processes, the report, mutants, departures, requests and states as values."""
