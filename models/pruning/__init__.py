"""Structured pruning of Qwen3 checkpoints: hidden neurons of the MLPs (OSSCAR) and whole blocks."""
