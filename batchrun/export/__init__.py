"""Answers in the form that other programs read: one line an item, streamed. Nothing here changes a run's files."""
