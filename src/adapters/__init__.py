"""Adapters between the domain and the outside: stores, AWS, playback tokens and the clock."""
