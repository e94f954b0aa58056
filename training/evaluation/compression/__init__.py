"""What shorter texts cost a ranker: NDCG@k, KL and lengths of one way to shorten, at one length, and comparisons."""
