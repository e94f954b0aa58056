"""Many reinforcement-learning runs, one for each algorithm, penalty, weight and seed, judged on held-out queries."""
