"""Builders of what is judged, for tests."""

from typing import Any

from models.prompts import Item
from training.judging.postings import PostingRow
from training.judging.records import Ask

POLICY = """
name = "tiny"
version = 3
summary = "Grade it."

[dimensions.work]
question = "The same work?"
weight = 3
[dimensions.work.grades]
0 = "no"
1 = "hardly"
2 = "half"
3 = "nearly"
4 = "yes"

[dimensions.place]
question = "The same place?"
[dimensions.place.grades]
0 = "no"
1 = "hardly"
2 = "half"
3 = "nearly"
4 = "yes"
"""


def ask(query: str = "nurse", query_id: str = "q1", **more: Any) -> Ask:
    return Ask(query_id=query_id, query=query, **more)


def posting(posting_id: str = "p1", title: str = "nurse", text: str = "Nights on a ward.") -> PostingRow:
    item = Item(title=title, company=None, location="Leeds", employment_type=None, remote=None, text=text)
    return PostingRow(posting_id=posting_id, item=item, posted_at=None, source=None)
