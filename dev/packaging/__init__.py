"""The deployable artifact: the zip that the functions run from, and the list of what the zip holds."""
