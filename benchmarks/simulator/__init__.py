"""The simulator against real runs of our own model server."""
