"""The policy of the service: who may take a slot, and what every write means.

Standard library only, and pure: no input or output, no clock, no identifier made inside,
and no word of HTTP or DynamoDB. What it needs of the world it asks for in `domain.ports`.
"""
