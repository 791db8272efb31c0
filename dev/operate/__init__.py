"""Commands for operators of a stage: deploy, roll back, restore, rotate keys, follow logs, repair streams.

Everything that works on production is here; what only a developer uses is in the other rooms.
"""
