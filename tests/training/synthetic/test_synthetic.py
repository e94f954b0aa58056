"""The generator's claims: variety, determinism, and facts that its texts bear out."""

from collections import Counter
from itertools import pairwise
from random import Random

import pytest

from training.synthetic import generate_events
from training.synthetic.facts import GeneratedQuery, grade
from training.synthetic.lexicon import Split, load
from training.synthetic.postings import GeneratedPosting, Writer
from training.synthetic.queries import Asker


def written(count: int, seed: int = 5, split: Split = "all") -> list[GeneratedPosting]:
    writer, rng = Writer(load(split)), Random(seed)
    return [writer.write(rng) for _ in range(count)]


def test_the_lexicon_holds_150_occupations_with_four_titles_and_more_each() -> None:
    occupations = load().occupations
    assert len({o.key for o in occupations}) == len(occupations) >= 150
    assert min(len(o.titles) for o in occupations) >= 4
    assert min(len(o.skills) for o in occupations) >= 2


def test_no_occupation_is_in_both_splits() -> None:
    train, held_out = load("train"), load("heldout")
    keys = [{o.key for o in lexicon.occupations} for lexicon in (train, held_out)]
    assert not keys[0] & keys[1]
    assert keys[0] | keys[1] == {o.key for o in load().occupations}
    assert len(keys[1]) >= 15


def test_split_facet_wordings_do_not_overlap_where_there_are_enough() -> None:
    held_out = {facet.key: facet for facet in load("heldout").facets}
    shared = [f.key for f in load("train").facets if set(f.texts) & set(held_out[f.key].texts)]
    assert len(shared) < len(held_out) / 2


def test_a_seed_decides_every_posting() -> None:
    assert written(20, seed=3) == written(20, seed=3)
    assert written(20, seed=3) != written(20, seed=4)


def test_lengths_run_from_a_small_ad_to_a_long_text() -> None:
    words = sorted(len(p.description.split()) for p in written(600))
    assert words[30] < 100
    assert words[-6] > 400
    assert words[300] > 120


def test_postings_hardly_ever_share_a_text_or_an_opening() -> None:
    postings = written(400)
    assert len({p.description for p in postings}) == 400
    openings = Counter(p.description[:40] for p in postings)
    assert openings.most_common(1)[0][1] < 20


def test_every_stated_fact_has_a_piece_of_text_and_every_piece_a_stated_fact() -> None:
    for posting in written(200):
        told = {tag for piece in posting.pieces for tag in piece.evidence}
        assert told == posting.facts.evidence()


def test_spans_stand_in_their_pieces() -> None:
    spans = [(piece.span, piece.text) for posting in written(200) for piece in posting.pieces if piece.span]
    assert len(spans) > 1000
    assert [span for span, text in spans if span not in text] == []


def query_of(posting: GeneratedPosting, needs: tuple[str, ...], town: str | None = None) -> GeneratedQuery:
    return GeneratedQuery(text="", occupation=posting.facts.occupation, needs=needs, town=town)


def test_grades_fall_with_each_need_that_the_text_does_not_meet() -> None:
    posting = written(1)[0]
    occupation = posting.facts.occupation
    query = query_of(posting, ("facet:nights", "skill:x"))
    evidence: list[set[str]] = [
        {"facet:nights", "skill:x"},
        {"skill:x"},
        set(),
        {"facet:days", "skill:x"},
        {"deny:nights"},
    ]
    assert [grade(query, occupation, None, seen) for seen in evidence] == [4, 3, 2, 1, 1]


def test_another_town_and_another_occupation_lower_the_grade() -> None:
    posting, *others = written(80)
    occupation = posting.facts.occupation
    stranger = next(o for o in others if o.facts.occupation.group != occupation.group)
    query = query_of(posting, (), town="Leeds")
    assert grade(query, occupation, "Leeds", set()) == 4
    assert grade(query, occupation, "Truro", set()) == 2
    assert grade(query, stranger.facts.occupation, "Leeds", set()) == 0


def test_queries_avoid_the_words_of_the_postings_title_most_of_the_time() -> None:
    asker, rng = Asker(load()), Random(2)
    named = [
        p.title.lower() in query.text.lower()
        for p in written(300)
        if (query := asker.ask(rng, p.facts, p.title)).occupation
    ]
    assert sum(named) < 0.3 * len(named)


def test_a_stream_adds_every_posting_and_nothing_follows_a_removal_but_an_add() -> None:
    events = sorted(generate_events(50, 1500, seed=9), key=lambda e: e["ts"])
    assert {e["id"] for e in events if e["op"] == "add"} == {e["id"] for e in events}
    assert len({e["id"] for e in events}) == 50
    assert {e["op"] for e in events} == {"add", "update", "repost", "close", "open", "remove"}
    assert all("posting" in e for e in events if e["op"] in {"add", "update", "repost"})
    for posting_id in {e["id"] for e in events}:
        ops = [e["op"] for e in events if e["id"] == posting_id]
        assert {after for before, after in pairwise(ops) if before == "remove"} <= {"add"}


def test_a_stream_is_decided_by_its_seed_and_partly_out_of_order() -> None:
    first, again = (list(generate_events(20, 400, seed=1)) for _ in range(2))
    assert first == again
    assert first != list(generate_events(20, 400, seed=2))
    times = [e["ts"] for e in first]
    assert times != sorted(times)


def test_a_stream_of_fewer_events_than_postings_is_refused() -> None:
    with pytest.raises(ValueError, match="cannot add"):
        next(generate_events(5, 4))
