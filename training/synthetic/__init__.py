"""Invented postings, searches and update streams: the only text that the tiny models learn from."""

from training.synthetic.events import generate_events

__all__ = ["generate_events"]
