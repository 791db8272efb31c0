"""The deployable artifact: the zip that the functions run from, and its list of contents."""
