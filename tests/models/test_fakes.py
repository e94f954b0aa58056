from hypothesis import given
from hypothesis import strategies as st

from models.prompts import Item, summarizer_input
from models.ranker import LexicalRanker
from models.summarizer import INSTANT_WORDS, InstantSummarizer, Summary


def item(title: str, text: str = "") -> Item:
    return Item(title=title, company=None, location=None, employment_type=None, remote=None, text=text)


@given(query=st.text(max_size=40), titles=st.lists(st.text(max_size=40), max_size=5))
def test_lexical_scores_lie_inside_zero_and_one_and_repeat(query: str, titles: list[str]) -> None:
    ranker = LexicalRanker()
    items = [item(title) for title in titles]
    scores = ranker.score_many(query, items, 1.0)
    assert len(scores) == len(items)
    assert all(0 < score < 1 for score in scores)
    assert ranker.score_many(query, items, 1.0) == scores


def test_more_words_of_the_query_score_higher_in_any_script_and_case() -> None:
    ranker = LexicalRanker()
    items = [item("Cook"), item("Nurse"), item("NURSE", "nights in Örebro"), item("焊工 nurse örebro")]
    cook, nurse, both, last = ranker.score_many("nurse Örebro", items, 1.0)
    assert cook < nurse < both == last


@given(title=st.text(max_size=60), text=st.text(max_size=300))
def test_instant_summaries_are_short_and_repeat(title: str, text: str) -> None:
    posting = summarizer_input(title, text)
    (summary,) = InstantSummarizer().summarize_many([posting], 1.0)
    assert isinstance(summary, Summary)
    assert summary.tokens == len(summary.text.split()) <= INSTANT_WORDS
    assert [summary] == InstantSummarizer().summarize_many([posting], 1.0)


def test_an_instant_summary_is_the_beginning_of_the_description() -> None:
    words = [f"w{i}" for i in range(100)]
    (summary,) = InstantSummarizer().summarize_many([summarizer_input("Nurse", " ".join(words))], 1.0)
    assert summary == Summary(text=" ".join(words[:24]), tokens=24, input_tokens=103, model="instant@1")
