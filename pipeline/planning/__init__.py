"""Which machines serve a demand at the lowest price: the problem, simulated annealing and an exact solver."""
