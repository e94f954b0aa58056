"""The policy file, its aggregation and its soft labels."""

import math
import re
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.errors import ConfigError
from tests.support.judging import POLICY, ask
from training.judging.policy import Policy, load_policy
from training.judging.rationales import LABEL, OVERALL, Graded, graded_of, rationale_text
from training.judging.records import MAX_GRADE, Judgement, TeacherVerdict
from training.judging.soft_labels import SoftLabels

GRADES = st.integers(0, MAX_GRADE)
SHIPPED = load_policy()


def policy(folder: Path, text: str = POLICY, head: str = "", soft: str = "") -> Policy:
    path = folder / "policy.toml"
    path.write_text(f"{head}\n{text}\n{soft}")
    return load_policy(path)


def test_the_shipped_policy_says_for_each_of_its_dimensions_what_five_grades_mean() -> None:
    assert SHIPPED.keys == ("occupation", "requirements", "constraints")
    for dimension in SHIPPED.dimensions:
        assert len(set(dimension.meanings)) == 5
        assert dimension.question.endswith("?")


@given(st.tuples(GRADES, GRADES, GRADES))
def test_the_shipped_label_is_the_weakest_grade_and_its_soft_label_a_quarter_of_it_inside_0_and_1(
    grades: tuple[int, int, int],
) -> None:
    verdict = TeacherVerdict(grades=dict(zip(SHIPPED.keys, grades, strict=True)))
    assert SHIPPED.aggregate(verdict.grades) == min(grades)
    assert 0 < SHIPPED.soft_label(verdict) < 1
    assert SHIPPED.soft_label(verdict) == pytest.approx(min(grades) / 4, abs=0.0201)


def test_a_weighted_mean_rounds_its_halves_up(tmp_path: Path) -> None:
    mean = policy(tmp_path, head='aggregation = "weighted_mean"')
    assert [
        mean.aggregate({"work": work, "place": place}) for work, place in [(4, 0), (2, 4), (3, 1), (0, 2)]
    ] == [
        3,
        3,
        3,
        1,
    ]


def test_a_soft_label_may_come_from_the_mean_of_the_grades(tmp_path: Path) -> None:
    of_mean = policy(tmp_path, soft='[soft_label]\nof = "mean"')
    assert of_mean.soft_label(TeacherVerdict(grades={"work": 4, "place": 0})) == pytest.approx(0.75)


def test_a_soft_label_may_come_from_a_table(tmp_path: Path) -> None:
    by_table = policy(tmp_path, soft='[soft_label]\nmethod = "table"\ntable = [0, 0.1, 0.2, 0.7, 1]')
    found = [by_table.soft_label(TeacherVerdict(grades={"work": grade, "place": 4})) for grade in range(5)]
    assert found == pytest.approx([0.02, 0.1, 0.2, 0.7, 0.98])


def _shares(parts: list[float]) -> list[float]:
    return [part / sum(parts) for part in parts]


SHARES = st.lists(st.floats(0.01, 1), min_size=5, max_size=5).map(_shares)


@given(SHARES, SHARES, SHARES, st.sampled_from(["min", "weighted_mean"]))
def test_a_soft_label_of_probabilities_is_the_expected_aggregate_over_all_combinations_of_grades(
    first: list[float], second: list[float], third: list[float], how: Literal["min", "weighted_mean"]
) -> None:
    soft = SoftLabels(method="distribution", margin=1e-9)
    judged = replace(SHIPPED, aggregation=how, soft_labels=soft)
    shares = dict(zip(SHIPPED.keys, (first, second, third), strict=True))
    verdict = TeacherVerdict(grades=dict.fromkeys(SHIPPED.keys, 4), evidence={"probabilities": shares})
    expected = math.fsum(
        first[a] * second[b] * third[c] * (min(a, b, c) if how == "min" else (a + b + c) / 3) / 4
        for a, b, c in product(range(5), repeat=3)
    )
    assert judged.soft_label(verdict) == pytest.approx(expected, abs=1e-8)


def test_without_probabilities_a_distribution_falls_back_to_the_label(tmp_path: Path) -> None:
    judged = policy(tmp_path, soft='[soft_label]\nmethod = "distribution"')
    assert judged.soft_label(TeacherVerdict(grades={"work": 3, "place": 2})) == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("grades", "named"),
    [
        ({"work": 5, "place": 0}, "work must be an integer from 0 to 4, not 5"),
        ({"work": -1, "place": 0}, "not -1"),
        ({"work": True, "place": 0}, "not True"),
        ({"work": 3.0, "place": 0}, "not 3.0"),
        ({"work": "4", "place": 0}, "not '4'"),
        ({"work": 4}, r"missing: \['place'\]"),
        ({"work": 4, "place": 1, "pay": 2}, r"unknown: \['pay'\]"),
    ],
)
def test_grades_that_are_not_the_policys_are_refused_by_name(
    tmp_path: Path, grades: dict[str, object], named: str
) -> None:
    with pytest.raises(ValueError, match=named):
        policy(tmp_path).aggregate(grades)


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ('name = "tiny"', "", "name must be one word .* it is missing"),
        ('name = "tiny"', 'name = "Two Words"', "name must be one word"),
        ("version = 3", "version = 0", "version must be a whole number"),
        ('summary = "Grade it."', 'summary = " "', "summary must be a text"),
        ('summary = "Grade it."', 'sumary = "Grade it."', "sumary is not a setting"),
        ("weight = 3", "weight = -1", "dimensions.work.weight must be a number above 0"),
        ("weight = 3", 'weight = "big"', "dimensions.work.weight"),
        ("weight = 3", "wieght = 3", "dimensions.work.wieght is not a setting"),
        ('3 = "nearly"', "", "dimensions.work.grades.3 must be a text: it is missing"),
        ('4 = "yes"', '4 = "yes"\n5 = "more"', "dimensions.work.grades.5 is not a setting"),
        ('question = "The same work?"', "", "dimensions.work.question"),
        ("[dimensions.place]", "[dimensions.label]", "dimensions.label: the name is taken"),
        ('summary = "Grade it."', 'summary = "x"\naggregation = "median"', "aggregation must be one of min"),
        ('summary = "Grade it."', 'summary = "x"\nsoft_label = 3', "soft_label must be a table"),
        ('summary = "Grade it."', 'summary = "x"\nsoft_label = {method = "guess"}', "soft_label.method"),
        ('summary = "Grade it."', 'summary = "x"\nsoft_label = {of = "all"}', "soft_label.of"),
        ('summary = "Grade it."', 'summary = "x"\nsoft_label = {margin = 0.5}', "soft_label.margin"),
        ('summary = "Grade it."', 'summary = "x"\nsoft_label = {margn = 0.1}', "soft_label.margn"),
        ('summary = "Grade it."', 'summary = "x"\nsoft_label = {method = "table"}', "soft_label.table"),
        (
            'summary = "Grade it."',
            'summary = "x"\nsoft_label = {method = "table", table = []}',
            "soft_label.table",
        ),
        ('summary = "Grade it."', 'summary = "x"\nsoft_label = {table = [0, 1, 0, 1, 1]}', "must rise"),
        ('summary = "Grade it."', "summary = ", "cannot be read"),
    ],
)
def test_a_policy_with_a_mistake_is_refused_with_its_file_and_key(
    tmp_path: Path, old: str, new: str, named: str
) -> None:
    assert old in POLICY
    with pytest.raises(ConfigError, match=rf"policy\.toml.*{named}"):
        policy(tmp_path, POLICY.replace(old, new, 1))


def test_a_policy_without_dimensions_or_without_a_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="at least one is needed"):
        policy(tmp_path, 'name = "x"\nversion = 1\nsummary = "x"\n[dimensions]')
    with pytest.raises(ConfigError, match=r"nowhere\.toml cannot be read"):
        load_policy(tmp_path / "nowhere.toml")


def test_a_judgement_names_the_policy_and_another_wording_another_policy(tmp_path: Path) -> None:
    first = policy(tmp_path)
    other = policy(tmp_path, POLICY.replace("hardly", "barely"))
    commented = policy(tmp_path, "# a comment\n" + POLICY)
    assert first.identity == commented.identity
    assert first.identity.startswith("tiny@3+")
    assert other.identity != first.identity
    judgement = first.judgement(
        ask(split="dev"), "p1", TeacherVerdict(grades={"place": 2, "work": 4}), "somebody@1"
    )
    assert (judgement.policy, judgement.label, judgement.split) == (first.identity, 2, "dev")
    assert list(judgement.grades) == ["work", "place"]


WORDS = st.text(st.characters(codec="utf-8"), max_size=40)


def _judgement(grades: dict[str, int], rationale: str, label: int) -> Judgement:
    return Judgement(
        query_id="q",
        query="q",
        posting_id="p",
        grades=grades,
        label=label,
        soft_label=0.5,
        rationale=rationale,
        teacher="t",
        policy="p",
    )


def _read_back(text: str) -> Graded:
    """What a stage 1 text says, read as its form is documented: `NAME GRADE` or `NAME GRADE: WORDS` a line."""
    found = [re.fullmatch(r"(\w+) ([0-4])(?:: (.+))?", line.strip()) for line in text.strip().splitlines()]
    lines = [(match[1], int(match[2]), match[3] or "") for match in found if match]
    assert [key for key, _, _ in lines] == [*SHIPPED.keys, LABEL]
    *dimensions, (_, label, overall) = lines
    said = {key: words for key, _, words in [*dimensions, (OVERALL, 0, overall)] if words}
    return Graded(grades={key: grade for key, grade, _ in dimensions}, label=label, rationales=said)


@given(
    st.fixed_dictionaries(dict.fromkeys(SHIPPED.keys, GRADES)),
    GRADES,
    st.lists(st.tuples(st.sampled_from([*SHIPPED.keys, "", "label"]), WORDS), max_size=5),
)
def test_a_stage_1_text_reads_back_as_the_judgement_that_it_was_written_from(
    grades: dict[str, int], label: int, lines: list[tuple[str, str]]
) -> None:
    rationale = "\n".join(f"{key}: {words}" if key else words for key, words in lines)
    judgement = _judgement(grades, rationale, label)
    text = rationale_text(judgement, SHIPPED)
    assert _read_back(text) == graded_of(judgement, SHIPPED)
    assert text.count("\n") == len(SHIPPED.keys) + 1


def test_a_stage_1_text_is_short_and_fixed() -> None:
    judgement = _judgement(
        {"occupation": 4, "requirements": 2, "constraints": 4},
        "requirements: nights are named,\nconstraints:\na car is not",
        2,
    )
    assert rationale_text(judgement, SHIPPED) == (
        "\noccupation 4\nrequirements 2: nights are named,\nconstraints 4\nlabel 2: a car is not"
    )
    assert graded_of(judgement, SHIPPED).rationales == {
        "requirements": "nights are named,",
        OVERALL: "a car is not",
    }
