"""A terminal view of a running system, from the metrics of its processes."""
