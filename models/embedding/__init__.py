"""An embedder that computes a checkpoint directory: queries and postings to unit vectors of one space."""
