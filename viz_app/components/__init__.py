"""Markup of our own in the running app, each piece with what it reports."""
