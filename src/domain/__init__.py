"""The rules of the service: which streams may take a slot, and the meaning of every write.

It uses the standard library only, and is pure: it does no input or output, reads no clock, makes no
identifiers, and knows neither HTTP nor DynamoDB. `domain.ports` declares what it needs from outside.
"""
