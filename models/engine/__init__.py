"""Prefill-only scoring and plain generation of Qwen3-architecture checkpoints."""
