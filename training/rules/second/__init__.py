"""A second rule set for testing alone: other words, pools and arithmetic; no training reads it.

Evidence comes from keywords in sentences, near which a negator is looked for.
"""
