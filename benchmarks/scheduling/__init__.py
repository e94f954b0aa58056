"""Policies for the order of waiting requests, under a virtual clock."""
