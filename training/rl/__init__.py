"""Reinforcement learning of summarizers: actors that shorten postings, rewarded by what a frozen ranker still sees."""
