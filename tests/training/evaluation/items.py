"""Six postings, and queries over them."""

from models.prompts import Item
from training.judging.records import JudgedQuery

TITLES = ("Welder", "Staff nurse", "Cook", "C++ developer", "Night porter", "Teacher")
TEXTS = (
    "steel work by day",
    "ward nights, remote",
    "kitchen, weekends off",
    "compilers and steel",
    "nights",
    "school",
)


def tell(_: int) -> None:
    """Nobody watches."""


def item(title: str, text: str) -> Item:
    return Item(title=title, company="Acme", location=None, employment_type=None, remote=None, text=text)


ITEMS = {f"p{n}": item(title, text) for n, (title, text) in enumerate(zip(TITLES, TEXTS, strict=True))}


def judged_query(text: str, *labels: int, query_id: str = "q1") -> JudgedQuery:
    names = tuple(ITEMS)[: len(labels)]
    soft = tuple(label / 4 for label in labels)
    return JudgedQuery(query_id=query_id, query=text, posting_ids=names, labels=labels, soft_labels=soft)
