"""Reinforcement learning on verl: the files of a run, what verl calls of ours, and a launcher that watches it."""
