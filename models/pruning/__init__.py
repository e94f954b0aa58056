"""Structured pruning of Qwen3, Qwen2 and Llama checkpoints: hidden neurons of the MLPs (OSSCAR) and whole blocks."""
