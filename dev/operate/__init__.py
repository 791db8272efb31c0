"""Commands for operators of a stage: deploy, roll back, restore, rotate keys, follow logs, repair streams.

Everything that works on production is here; tools for developers are in the other packages.
"""
