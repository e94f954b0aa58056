"""Queries, pools and graded labels derived by rules from real postings' full texts; no human judged them.

A ranker reads only the query's words and the posting, never `Ask.needs`, evidence or a lexicon.
"""
