"""Extractive summaries: a text's phrases, a small model that weighs them in one reading, and a choice among them."""
