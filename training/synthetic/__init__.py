"""Generated postings, searches and update streams, for training the tiny models and for load."""

from training.synthetic.events import generate_events

__all__ = ["generate_events"]
