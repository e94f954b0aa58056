"""Retrieval from a whole split: recall and NDCG of an embedder beside BM25 and MiniLM, every pair graded by rules."""
