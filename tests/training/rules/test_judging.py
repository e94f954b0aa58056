"""Splits, queries, pools and the files that they go into."""

import json
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from random import Random

import pytest

from models.prompts import Item
from pipeline.match import passes
from schemas.errors import ConfigError
from schemas.records import SavedSearch
from tests.pipeline.builders import feature
from training.judging.duplicates import near_duplicates
from training.judging.judged_file import read_judged_queries
from training.judging.policy import MATCHING, load_policy
from training.judging.postings import PostingRow
from training.judging.records import Judgement, Split
from training.judging.splits import Splits, check_no_leak, split
from training.judging.table import read_judgements, write_judgements
from training.rules.corpus import Corpus, all_evidence, domain_of
from training.rules.judge import JudgeConfig, PreparedDomain, judged, prepare
from training.rules.judged_queries import judged_queries
from training.rules.lexicon.entries import held_out, lexicon
from training.rules.matched_pools import MatchedPools
from training.rules.matching import SummaryMatcher
from training.rules.pools import GOOD
from training.rules.queries import asks
from training.rules.teacher import RuleTeacher

HEALTH = lexicon("health")
POLICY = load_policy(MATCHING)
TITLES = (
    "Staff Nurse", "Community Nurse", "Dietitian", "Hospital Porter", "Medical Secretary", "Midwife",
    "Physiotherapist", "Occupational Therapist", "Pharmacist", "Healthcare Assistant",
)  # fmt: skip
SENTENCES = (
    "This is a permanent contract.", "The post is fixed term for 12 months.", "Night shifts are part of it.",
    "You work Monday to Friday.", "A driving licence is essential.", "Much teaching of students.",
    "We offer a pension.", "Working with children.", "You join the community team.", "Band 5 pay.",
    "Newly qualified staff are welcome.", "You take part in research.", "Free parking for all.",
)  # fmt: skip
FILLER = [
    f"{a}{b}{c}"
    for a in ("bo", "ka", "li", "mu", "ne")
    for b in ("ra", "so", "ti")
    for c in ("x", "n", "l", "p")
]


def posting(number: int, company: str | None = None, text: str | None = None) -> PostingRow:
    rng = Random(number)
    body = text or " ".join([*rng.sample(SENTENCES, 4), *(rng.choice(FILLER) for _ in range(40))])
    item = Item(
        title=TITLES[number % len(TITLES)],
        text=body,
        company=company or f"Trust {number % 60}",
        location=f"{rng.choice(('Leeds', 'York', 'Hull'))}, GB",
        employment_type=None,
        remote=None,
    )
    return PostingRow(posting_id=f"p{number}", item=item, posted_at=None, source=None)


@pytest.fixture(scope="module")
def postings() -> list[PostingRow]:
    return [posting(number) for number in range(450)]


@pytest.fixture(scope="module")
def prepared(postings: list[PostingRow]) -> PreparedDomain:
    return prepare(postings, "health")


def test_every_posting_of_a_company_is_in_one_split(prepared: PreparedDomain) -> None:
    sides: dict[str | None, set[Split]] = {}
    for name, rows in prepared.splits.postings.items():
        for row in rows:
            sides.setdefault(row.item.company, set()).add(name)
    assert all(len(found) == 1 for found in sides.values())
    assert {len(rows) > 0 for rows in prepared.splits.postings.values()} == {True}
    check_no_leak(prepared.splits.postings)


def test_near_duplicates_of_two_companies_end_in_one_split() -> None:
    rows = [posting(number, company=f"Company {number}") for number in range(200)]
    twins = [
        posting(number + 1000, company=f"Agency {number}", text=rows[number].item.text)
        for number in range(0, 200, 10)
    ]
    found = split([*rows, *twins])
    check_no_leak(found.postings)
    side = {row.posting_id: name for name, kept in found.postings.items() for row in kept}
    for number in range(0, 200, 10):
        assert len({side[key] for key in (f"p{number}", f"p{number + 1000}") if key in side}) == 1


def test_twins_of_companies_too_large_to_join_are_dropped_from_the_smaller_split() -> None:
    rows = [posting(number, company=f"Large {number % 4}") for number in range(400)]
    twins = [
        posting(number + 4000, company=f"Large {(number + 1) % 4}", text=rows[number].item.text)
        for number in range(8)
    ]
    found = split([*rows, *twins])
    check_no_leak(found.postings)
    assert sum(map(len, found.postings.values())) + len(found.dropped) == 408


def test_a_planted_near_duplicate_is_named(prepared: PreparedDomain) -> None:
    rows = {name: list(kept) for name, kept in prepared.splits.postings.items()}
    original = rows["train"][0]
    rows["test"].append(
        posting(9000 + int(original.posting_id[1:]), "Elsewhere", original.item.text + " really")
    )
    with pytest.raises(ConfigError, match=f"{original.posting_id} .*p9.*near-duplicates"):
        check_no_leak(rows)


def test_one_posting_in_two_splits_is_named(prepared: PreparedDomain) -> None:
    rows = {name: list(kept) for name, kept in prepared.splits.postings.items()}
    rows["dev"].append(rows["test"][0])
    with pytest.raises(ConfigError, match=f"{rows['test'][0].posting_id} stands in"):
        check_no_leak(rows)


def test_texts_that_share_half_their_words_are_no_near_duplicates() -> None:
    words = [f"w{n}" for n in range(200)]
    rows = [
        posting(1, text=" ".join(words)),
        posting(2, text=" ".join([*words[:100], *(f"v{n}" for n in range(100))])),
    ]
    assert near_duplicates(rows) == []


def test_the_same_seed_draws_the_same_queries_and_another_others(prepared: PreparedDomain) -> None:
    def some(seed: int) -> list[list[Judgement]]:
        return list(judged(prepared, "train", 20, seed, JudgeConfig().train_pool, POLICY))

    assert some(1) == some(1)
    assert some(1) != some(2)


def test_no_training_query_uses_a_held_out_wording_or_occupation(prepared: PreparedDomain) -> None:
    for drawn in islice(asks(prepared.corpus("train"), 0), 300):
        occupation = HEALTH.occupations[drawn.needs.occupation]
        assert occupation.key not in HEALTH.test_only()
        kept = [
            w
            for key in drawn.needs.facets
            for w in HEALTH.facets[key].phrases
            if w not in held_out(HEALTH.facets[key].phrases)
        ]
        free = [w for w in occupation.wordings if w not in held_out(occupation.wordings)]
        query = drawn.ask.query.lower()
        assert any(w.lower() in query for w in free)
        assert not drawn.needs.facets or any(w.lower() in query for w in kept)
        assert "seen phrase" in drawn.ask.strata


def test_a_test_query_is_worded_by_held_out_phrases_or_by_none(prepared: PreparedDomain) -> None:
    drawn = list(islice(asks(prepared.corpus("test"), 0), 200))
    unseen = [d for d in drawn if "unseen phrase" in d.ask.strata]
    assert 0.3 < len(unseen) / len(drawn) < 0.7
    for d in unseen:
        kept = held_out(HEALTH.occupations[d.needs.occupation].wordings)
        assert any(w.lower() in d.ask.query.lower() for w in kept)


def test_a_query_has_a_good_match_and_another_and_stays_in_its_split(prepared: PreparedDomain) -> None:
    inside = {row.posting_id for row in prepared.splits.postings["test"]}
    for rows in judged(prepared, "test", 30, 0, JudgeConfig().pool, POLICY):
        labels = [row.label for row in rows]
        assert max(labels) >= GOOD > min(labels)
        assert {row.posting_id for row in rows} <= inside
        assert all(row.label == min(row.grades.values()) for row in rows)
        assert len({row.posting_id for row in rows}) == len(rows)


def test_a_matched_pool_holds_what_the_matcher_finds_and_nothing_else(prepared: PreparedDomain) -> None:
    corpus = prepared.corpus("test")
    teacher = RuleTeacher(prepared.words, prepared.known)
    summaries = ["" if at % 2 else posting.item.text[:60] for at, posting in enumerate(corpus.postings)]
    matcher = SummaryMatcher([posting.item for posting in corpus.postings], summaries)
    pools = MatchedPools(corpus, teacher, POLICY, matcher)
    pairs = 0
    for drawn in islice(asks(corpus, 1), 40):
        search = SavedSearch(search_id="s", query=drawn.ask.query)
        for one in pools.pool(drawn, Random(1)) or ():
            item = corpus.postings[one.position].item
            record = feature(
                title=item.title,
                company=item.company,
                location=item.location,
                summary=summaries[one.position],
            )
            assert passes(search, record)
            assert one.label == POLICY.aggregate(one.verdict.grades)
            pairs += 1
    assert pairs > 40


def test_judged_queries_in_memory_are_of_the_test_split_with_the_postings_own_items(
    postings: list[PostingRow], prepared: PreparedDomain, tmp_path: Path
) -> None:
    path = tmp_path / "postings.jsonl"
    rows = [{"id": p.posting_id, "description": p.item.text, **asdict(p.item)} for p in postings]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    found = judged_queries(path, "health", 5, 1, tmp_path / "cache")
    items = {row.posting_id: row.item for row in prepared.splits.postings["test"]}
    assert len(found) == 5
    for one in found:
        assert [items[name] for name in one.posting_ids] == list(one.items)
        assert max(one.grades) >= GOOD > min(one.grades)
    assert judged_queries(path, "health", 5, 1, tmp_path / "cache") == found


def test_too_few_postings_for_the_queries_asked_is_an_error(prepared: PreparedDomain) -> None:
    few = {**prepared.splits.postings, "dev": prepared.splits.postings["train"][:12]}
    small = PreparedDomain(words=HEALTH, splits=Splits(postings=few, dropped=()), known=prepared.known)
    with pytest.raises(ConfigError, match="dev split of 12 postings"):
        list(judged(small, "dev", 500, 0, JudgeConfig().pool, POLICY))


def test_the_domain_is_found_by_the_titles(postings: list[PostingRow]) -> None:
    assert domain_of(postings) == "health"


def test_evidence_is_kept_and_read_again(postings: list[PostingRow], tmp_path: Path) -> None:
    first = all_evidence(postings[:20], HEALTH, tmp_path)
    assert all_evidence(postings[:20], HEALTH, tmp_path) == first
    assert len(list(tmp_path.iterdir())) == 1


def test_a_corpus_counts_places_and_occupations(prepared: PreparedDomain) -> None:
    corpus: Corpus = prepared.corpus("train")
    assert set(corpus.places) == {"leeds", "york", "hull"}
    assert {"dietitian", "nurse", "porter"} <= set(corpus.of_occupation)


def judgement(**changes: object) -> Judgement:
    fields: dict[str, object] = {
        "query_id": "q", "query": "nurse", "posting_id": "p", "grades": {"occupation": 4}, "label": 4, "soft_label": 0.98,
        "evidence": {"stated": {"pension": "a pension"}}, "teacher": "rules@1", "policy": "x", "strata": ("title only",),
    }  # fmt: skip
    return Judgement(**{**fields, **changes})  # type: ignore[arg-type]


def test_judgements_come_back_from_parquet_as_they_were(tmp_path: Path) -> None:
    rows = [judgement(soft_label=0.5), judgement(posting_id="r", label=0, soft_label=0.25, rationale="é")]
    assert write_judgements(tmp_path / "j.parquet", rows) == 2
    assert read_judgements(tmp_path / "j.parquet") == rows
    (query,) = read_judged_queries(tmp_path / "j.parquet")
    assert (query.posting_ids, query.labels, query.strata) == (("p", "r"), (4, 0), ("title only",))


def test_an_error_while_writing_leaves_the_file_before(tmp_path: Path) -> None:
    path = tmp_path / "j.parquet"
    write_judgements(path, [judgement()])
    with pytest.raises(ZeroDivisionError):
        write_judgements(path, (judgement(label=4 // n) for n in (1, 0)))
    assert [row.label for row in read_judgements(path)] == [4]
    assert [file.name for file in tmp_path.iterdir()] == ["j.parquet"]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([judgement(), judgement(label=7)], "row 2: grade must be a whole number from 0 to 4, not 7"),
        ([judgement(soft_label=1.5)], "row 1: soft_label must be a number from 0 to 1, not 1.5"),
        ([], "holds no judgement"),
    ],
)
def test_wrong_rows_are_named(rows: list[Judgement], message: str, tmp_path: Path) -> None:
    write_judgements(tmp_path / "j.parquet", rows)
    with pytest.raises(ConfigError, match=message):
        read_judgements(tmp_path / "j.parquet")


def test_missing_columns_and_other_files_are_named(tmp_path: Path) -> None:
    pa, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    pq.write_table(pa.table({"query_id": ["q"], "query": ["x"]}), tmp_path / "j.parquet")
    with pytest.raises(ConfigError, match="column posting_id is missing"):
        read_judgements(tmp_path / "j.parquet")
    (tmp_path / "k.parquet").write_text("no")
    with pytest.raises(ConfigError, match="is not readable Parquet"):
        read_judgements(tmp_path / "k.parquet")
    with pytest.raises(ConfigError, match="is not readable Parquet"):
        read_judgements(tmp_path / "none.parquet")
