"""Prefill-only scoring and plain generation of Qwen3, Qwen2 and Llama checkpoints."""
