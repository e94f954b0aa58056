"""Online search: an index of the open postings, and the way from a person's words to ranked results with reasons.

`lexical`, `vectors`, `columns`: what the index keeps of each posting; `index`: filters first, then retrieval; `fusion`:
two orders as one; `searcher`: understand, retrieve, score, arrange; `auction`, `pacing`, `placing`: promoted postings.
"""
