"""Plugins on ``logging``: each writes log events somewhere."""
