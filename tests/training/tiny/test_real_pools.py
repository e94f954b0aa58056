"""Training pairs over real postings: labels speak of what was read so far, and nothing else is read."""

import gzip
import json
from pathlib import Path
from random import Random

import numpy as np
import pytest

from models.prompts import Item, load_tokenizer
from schemas.errors import ConfigError
from training.judging.postings import PostingRow
from training.rules.corpus import Corpus
from training.rules.evidence import evidence
from training.rules.lexicon.entries import lexicon
from training.synthetic.facts import SOFT_LABELS
from training.tiny.encoding import Encoder
from training.tiny.ranker.examples import CANDIDATES, LabelledPrompt
from training.tiny.ranker.facet_queries import FacetAsker, stated_spans
from training.tiny.ranker.marked_postings import marked_postings
from training.tiny.ranker.pools import PoolMix, RenewedPool
from training.tiny.ranker.real_pool import AskedQuery, MarkedPosting, Mention, RealPool
from training.tiny.ranker.title_pool import Lookalikes, TitlePool, Titles, read
from training.tiny.ranker.word_queries import WordAsker

RANKER = Path("models/checkpoints/ranker-tiny")
TOKENIZER = load_tokenizer(RANKER)
HEALTH = lexicon("health")


def posting(number: int, title: str, text: str) -> PostingRow:
    item = Item(
        title=title,
        company=f"Trust {number}",
        location="Leeds, GB",
        employment_type=None,
        remote=None,
        text=text,
    )
    return PostingRow(posting_id=str(number), item=item, posted_at=None, source=None)


def source(text: str, mentions: tuple[Mention, ...] = ()) -> MarkedPosting:
    ids = np.array(TOKENIZER.encode(text, add_special_tokens=False).ids, dtype=np.int32)
    return MarkedPosting(
        head=[5, 6], ids=ids, mentions=mentions, known=frozenset(), occupation="nurse", place=None
    )


def pool(item: MarkedPosting, tags: frozenset[str], rng: Random) -> RealPool:
    def ask() -> AskedQuery:
        return AskedQuery(
            prefix=[7],
            candidates=(item,) * CANDIDATES,
            tags=tags,
            extra=((),) * CANDIDATES,
            target=lambda _, seen: SOFT_LABELS[4 if tags <= set(seen) else 2],
        )

    return RealPool(rng, Encoder(TOKENIZER), [(1.0, ask)])


def test_a_label_rises_exactly_where_the_text_states_what_was_asked_for() -> None:
    mention = Mention(begin=20, end=22, tag="facet:nights")
    item = source("word " * 60, (mention,))
    examples = pool(item, frozenset({"facet:nights"}), Random(3)).batch(6, 200)
    assert len(examples) == 6 * CANDIDATES
    whole = [
        e
        for e in examples
        if len(e.ids) == 1 + 2 + len(Encoder(TOKENIZER).marker) + 60 + len(Encoder(TOKENIZER).suffix)
    ]
    assert whole
    for example in whole:
        first = len(example.ids) - 60 - len(Encoder(TOKENIZER).suffix)
        for place, target in zip(example.places, example.targets, strict=True):
            assert target == SOFT_LABELS[4 if place - first >= 21 or place == len(example.ids) - 1 else 2]


@pytest.mark.parametrize("window", [8, 24, 200])
def test_a_view_never_holds_more_tokens_than_its_window_and_labels_stand_inside_it(window: int) -> None:
    item = source("word " * 90, (Mention(begin=40, end=43, tag="a"), Mention(begin=70, end=71, tag="b")))
    fixed = 1 + 2 + len(Encoder(TOKENIZER).marker) + len(Encoder(TOKENIZER).suffix)
    for example in pool(item, frozenset("ab"), Random(window)).batch(20, window):
        assert len(example.ids) - fixed <= window + 1
        assert example.places == sorted(set(example.places))
        assert example.places[-1] == len(example.ids) - 1
        assert len(example.places) == len(example.targets)


def test_a_window_that_misses_the_mention_is_not_labelled_as_if_it_held_it() -> None:
    item = source("word " * 90, (Mention(begin=80, end=82, tag="a"),))
    examples = pool(item, frozenset("a"), Random(1)).batch(30, 20)
    assert {e.targets[-1] for e in examples} == {SOFT_LABELS[2], SOFT_LABELS[4]}


def test_spans_are_where_the_rules_found_their_evidence() -> None:
    text = "We care for adults. You will work night shifts on the ward. There are no weekends."
    row = posting(1, "Staff Nurse", text)
    found = evidence(row, HEALTH)
    marks = stated_spans(row, found, HEALTH)
    said = {tag: text[a:b] for a, b, tag in marks.spans}
    assert "night shift" in said["facet:nights"]
    assert "weekends" in said["deny:weekends"]
    (read_,) = marked_postings(Encoder(TOKENIZER), TOKENIZER, [row.item], [marks])
    nights = next(m for m in read_.mentions if m.tag == "facet:nights")
    assert "night" in TOKENIZER.decode(read_.ids[nights.begin : nights.end].tolist())


def corpus() -> tuple[Corpus, list[MarkedPosting]]:
    titles = (
        "Staff Nurse",
        "Registered Nurse",
        "Pharmacist",
        "Clinical Pharmacist",
        "Medical Secretary",
        "Physiotherapist",
    )
    extras = (
        "You will work night shifts.",
        "Part-time, 20 hours per week.",
        "A permanent post in the community.",
        "",
    )
    rows = [
        posting(n, titles[n % 6], f"Join our friendly hospital team. {extras[n % 4]} Apply soon.")
        for n in range(120)
    ]
    known = {row.posting_id: evidence(row, HEALTH) for row in rows}
    made = Corpus.of("train", HEALTH, rows, known)
    marks = [stated_spans(row, known[row.posting_id], HEALTH) for row in rows]
    return made, marked_postings(Encoder(TOKENIZER), TOKENIZER, [row.item for row in rows], marks)


def test_a_rule_query_comes_with_a_candidate_that_meets_it_and_others_that_do_not() -> None:
    made, read_ = corpus()
    asker = FacetAsker(Random(2), Encoder(TOKENIZER), made, read_)
    for _ in range(20):
        asked = asker()
        seen = [{m.tag for m in c.mentions} | c.known for c in asked.candidates]
        labels = [asked.target(c, s) for c, s in zip(asked.candidates, seen, strict=True)]
        assert len(labels) == CANDIDATES
        assert labels[0] >= SOFT_LABELS[3]
        assert min(labels) < SOFT_LABELS[3]


def test_a_posting_of_other_work_that_states_what_is_asked_for_is_among_the_candidates() -> None:
    made, read_ = corpus()
    asker = FacetAsker(Random(2), Encoder(TOKENIZER), made, read_)
    wanted = "facet:nights"
    with_nights = [asked for asked in (asker() for _ in range(120)) if asked.tags == {wanted, "deny:nights"}]
    assert len(with_nights) > 10
    for asked in with_nights:
        stating = [one for one in asked.candidates if any(m.tag == wanted for m in one.mentions)]
        assert any(asked.target(one, {wanted}) <= SOFT_LABELS[1] for one in stating)


def test_a_query_without_a_facet_is_missed_by_whoever_states_it() -> None:
    made, read_ = corpus()
    asker = FacetAsker(Random(2), Encoder(TOKENIZER), made, read_, negated=1.0)
    kinds = []
    for _ in range(40):
        asked = asker()
        said = TOKENIZER.decode(asked.prefix).split("search :")[1].split()
        if {"no", "not", "without"}.isdisjoint(said):
            continue
        for item in asked.candidates:
            seen = {m.tag for m in item.mentions} | item.known
            states = any(tag in seen for tag in asked.tags if tag.startswith("facet:"))
            assert asked.target(item, seen) <= SOFT_LABELS[1 if states else 4]
            kinds.append(states)
    assert {True, False} == set(kinds)


def test_a_word_query_is_met_by_the_posting_that_holds_the_word() -> None:
    tokens = [t for t, _ in sorted(TOKENIZER.get_vocab().items(), key=lambda item: item[1])]
    table = np.random.default_rng(0).normal(size=(len(tokens), 16)).astype("float32")
    wording = {key: o.wordings for key, o in HEALTH.occupations.items()}
    texts = [
        "alpha bravo charlie hotel market garden"
        + " team" * (n % 3)
        + (" silver" if n % 10 == 0 else " copper")
        for n in range(200)
    ]
    plain = [
        MarkedPosting(
            head=[5], ids=source(t).ids, mentions=(), known=frozenset(), occupation="nurse", place=None
        )
        for t in texts
    ]
    asker = WordAsker(Random(4), Encoder(TOKENIZER), plain, tokens, table, wording)
    asked = asker()
    assert {m.end - m.begin for m in asked.extra[0]} == {1}
    met = frozenset(m.tag for m in asked.extra[0])
    assert asked.tags <= met
    assert asked.target(asked.candidates[0], met) == SOFT_LABELS[4]
    assert asked.target(asked.candidates[0], frozenset()) == SOFT_LABELS[1]


def test_texts_without_a_word_to_ask_for_are_refused() -> None:
    tokens = [t for t, _ in sorted(TOKENIZER.get_vocab().items(), key=lambda item: item[1])]
    table = np.ones((len(tokens), 4), dtype="float32")
    with pytest.raises(ConfigError, match="no posting holds a word"):
        WordAsker(
            Random(1), Encoder(TOKENIZER), [source("copper")] * 20, tokens, table, {"nurse": ("nurse",)}
        )


def test_titles_of_one_occupation_are_wanted_and_those_of_another_are_not(tmp_path: Path) -> None:
    rows = [
        {
            "code": f"{n}0-1000.00",
            "title": f"{name} one",
            "alternate_titles": [f"{name} two", f"{name} three", f"{name} four"],
            "reported_titles": [],
            "related": [],
        }
        for n, name in enumerate(("baker", "welder", "teacher"))
    ]
    path = tmp_path / "onet.jsonl.gz"
    with gzip.open(path, "wt") as lines:
        lines.writelines(json.dumps(row) + "\n" for row in rows)
    occupations = read(path)
    assert occupations[0] == Titles(
        titles=("baker one", "baker two", "baker three", "baker four"),
        related=(),
        list_name="onet",
        group="00",
    )
    examples = TitlePool(Random(1), Encoder(TOKENIZER), occupations).batch(3, 8)
    assert len(examples) == 3 * CANDIDATES
    assert [e.targets[0] for e in examples[:CANDIDATES]] == [SOFT_LABELS[4]] * 3 + [SOFT_LABELS[0]] * 5
    word = TOKENIZER.decode(examples[0].ids).split("search :")[1].split()[0]
    assert [word in TOKENIZER.decode(e.ids).split("title :")[1] for e in examples[:CANDIDATES]] == [
        True
    ] * 3 + [False] * 5


def test_a_lookalike_shares_a_word_and_is_of_another_group_of_the_same_list() -> None:
    def titles(*names: str, related: tuple[int, ...] = (), list_name: str = "onet", group: str) -> Titles:
        return Titles(titles=names, related=related, list_name=list_name, group=group)

    occupations = [
        titles("accounts assistant", "ledger clerk", related=(2,), group="43"),
        titles("care assistant", group="31"),
        titles("payroll assistant", group="44"),
        titles("data entry assistant", group="43"),
        titles("kitchen assistant", list_name="esco", group="94"),
        titles("welder", group="51"),
    ]
    drawn = Lookalikes(occupations).draw(Random(1), 0, "accounts assistant", 200)
    assert set(drawn) == {"care assistant"}
    assert not Lookalikes(occupations).draw(Random(1), 5, "welder", 20)


class Fixed:
    """A pool that counts."""

    def __init__(self) -> None:
        self.asked: list[int] = []

    def batch(self, queries: int, window: int) -> list[LabelledPrompt]:
        self.asked.append(queries)
        return [LabelledPrompt(ids=[window], places=[0], targets=[0.5])] * queries


def test_a_step_draws_each_pool_by_its_share_and_its_weights_sum_to_one() -> None:
    one, other = Fixed(), Fixed()
    mix = PoolMix(Random(0), [(0.75, one), (0.25, other)])
    for _ in range(200):
        assert sum(weight for weight, _ in mix.draw(queries=6, window=9)) == pytest.approx(1)
    assert sum(other.asked) / sum(one.asked) == pytest.approx(1 / 3, rel=0.15)


def test_a_renewed_pool_is_made_again_after_so_many_batches() -> None:
    made: list[Fixed] = []

    def make() -> Fixed:
        made.append(Fixed())
        return made[-1]

    renewed = RenewedPool(make, 2)
    for _ in range(5):
        renewed.batch(1, 1)
    assert [len(pool.asked) for pool in made] == [1, 2, 2]
