"""Judges at work on replies that are already there, and how far each of them can be believed."""
