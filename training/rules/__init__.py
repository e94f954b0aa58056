"""Queries, pools and graded labels derived by rules from real postings' full texts; nothing here is human-judged.

What the rules know is kept apart from what a ranker reads: it reads the query's words and the posting, never
`Ask.needs` or a lexicon.
"""
