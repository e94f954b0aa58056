"""Training of the embedder: queries and postings in one space, taught by the rules, the ranker and MiniLM."""
