"""Plugins on ``queue``: each hands an accepted message to whoever keeps it."""
