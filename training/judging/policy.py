"""The product policy: dimensions, what each of their five grades means, and how grades become a label."""

from __future__ import annotations

import hashlib
import json
import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal, cast, get_args

from schemas.errors import ConfigError
from training.judging.records import MAX_GRADE, Ask, Judgement, Verdict
from training.judging.soft_labels import SoftLabels, soft_labels_of
from training.judging.toml_fields import name_of, number_of, one_of, only, table_of, whole_of, words_of

MATCHING = Path(__file__).parent / "policies" / "matching.toml"
"""The shipped policy."""
GRADES = range(MAX_GRADE + 1)
Aggregation = Literal["min", "weighted_mean"]
RESERVED = ("label", "overall")
"""Names that stand beside the dimensions in a stage 1 text (`rationales.py`)."""
PROBABILITIES = "probabilities"
"""Key of a verdict's evidence under which a teacher gives [p_0, …, p_4] by dimension."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dimension:
    """One question about a (query, posting) pair; `meanings[g]` says when the answer is grade g."""

    key: str
    question: str
    meanings: tuple[str, ...]
    weight: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What "matches" means: graded dimensions, their aggregate 0-4, and the soft label of equation (3)."""

    name: str
    version: int
    summary: str
    dimensions: tuple[Dimension, ...]
    aggregation: Aggregation = "min"
    soft_labels: SoftLabels = field(default_factory=SoftLabels)

    @property
    def keys(self) -> tuple[str, ...]:
        """The dimensions' names, in the policy's order."""
        return tuple(dimension.key for dimension in self.dimensions)

    @property
    def hash(self) -> str:
        """SHA-256 of all that a judgement depends on, in hexadecimal; comments and layout do not count."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()

    @property
    def identity(self) -> str:
        """What a judgement carries: `name@version+hash`, the hash's first eight digits."""
        return f"{self.name}@{self.version}+{self.hash[:8]}"

    def check(self, grades: Mapping[str, Any]) -> dict[str, int]:
        """The grades in the policy's order; ValueError unless each dimension, and no other, has an integer 0-4."""
        missing = [key for key in self.keys if key not in grades]
        unknown = [key for key in grades if key not in self.keys]
        if missing or unknown:
            raise ValueError(
                f"the dimensions are {', '.join(self.keys)}; missing: {missing}, unknown: {unknown}"
            )
        for key, grade in grades.items():
            if not isinstance(grade, int) or isinstance(grade, bool) or grade not in GRADES:
                raise ValueError(
                    f"the grade of {key} must be an integer from 0 to {MAX_GRADE}, not {grade!r:.40}"
                )
        return {key: grades[key] for key in self.keys}

    def aggregate(self, grades: Mapping[str, Any]) -> int:
        """The label 0-4 of a full set of grades; ValueError as `check`."""
        checked = self.check(grades)
        # + 1/2 and floor: round() would send 2.5 down and 3.5 up
        return min(checked.values()) if self.aggregation == "min" else int(self.mean(checked) + 0.5)

    def mean(self, grades: Mapping[str, float]) -> float:
        """The weighted mean of the grades, in [0, 4]."""
        total = sum(dimension.weight for dimension in self.dimensions)
        return sum(dimension.weight * grades[dimension.key] for dimension in self.dimensions) / total

    def soft_label(self, verdict: Verdict) -> float:
        """p*_yes of equation (3), inside (0, 1), by the policy's method."""
        label, probabilities = self.aggregate(verdict.grades), verdict.evidence.get(PROBABILITIES)
        if self.soft_labels.method == "distribution" and probabilities:
            return self.soft_labels.of_grade(self._expected(probabilities))
        if self.soft_labels.method == "table":
            return self.soft_labels.of_label(label)
        return self.soft_labels.of_grade(
            label if self.soft_labels.of == "label" else self.mean(verdict.grades)
        )

    def judgement(self, ask: Ask, posting_id: str, verdict: Verdict, teacher: str) -> Judgement:
        """The row of the judged table that a verdict becomes."""
        return Judgement(
            query_id=ask.query_id,
            query=ask.query,
            posting_id=posting_id,
            grades=self.check(verdict.grades),
            label=self.aggregate(verdict.grades),
            soft_label=self.soft_label(verdict),
            rationale=verdict.rationale,
            evidence=verdict.evidence,
            teacher=teacher,
            policy=self.identity,
            split=ask.split,
            strata=ask.strata,
        )

    def _expected(self, probabilities: Mapping[str, list[float]]) -> float:
        """The expected aggregate, the dimensions taken as independent: E[min] = sum over g of prod P(grade >= g)."""
        if self.aggregation == "weighted_mean":
            return self.mean({key: sum(g * p for g, p in enumerate(probabilities[key])) for key in self.keys})
        expected = 0.0
        for grade in GRADES[1:]:
            product = 1.0
            for key in self.keys:
                product *= sum(probabilities[key][grade:])
            expected += product
        return expected


def load_policy(path: Path = MATCHING) -> Policy:
    """The policy of a TOML file; ConfigError names the file and the key that is wrong."""
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"the policy {path} cannot be read: {error}") from error
    try:
        return _policy(document)
    except ValueError as error:
        raise ConfigError(f"the policy {path}: {error}") from error


def _policy(document: dict[str, Any]) -> Policy:
    only(document, ("name", "version", "summary", "aggregation", "soft_label", "dimensions"))
    aggregation = one_of(document.get("aggregation", "min"), get_args(Aggregation), "aggregation")
    return Policy(
        name=name_of(document.get("name"), "name"),
        version=whole_of(document.get("version"), "version"),
        summary=words_of(document.get("summary"), "summary"),
        aggregation=cast("Aggregation", aggregation),
        soft_labels=soft_labels_of(table_of(document.get("soft_label", {}), "soft_label")),
        dimensions=_dimensions(table_of(document.get("dimensions"), "dimensions")),
    )


def _dimensions(tables: dict[str, Any]) -> tuple[Dimension, ...]:
    if not tables:
        raise ValueError("dimensions: at least one is needed")
    return tuple(_dimension(key, table) for key, table in tables.items())


def _dimension(key: str, value: object) -> Dimension:
    where = f"dimensions.{key}"
    if key in RESERVED:
        raise ValueError(f"{where}: the name is taken")
    table = table_of(value, where)
    only(table, ("question", "weight", "grades"), f"{where}.")
    grades = table_of(table.get("grades"), f"{where}.grades")
    only(grades, [str(grade) for grade in GRADES], f"{where}.grades.")
    return Dimension(
        key=name_of(key, where),
        question=words_of(table.get("question"), f"{where}.question"),
        meanings=tuple(words_of(grades.get(str(grade)), f"{where}.grades.{grade}") for grade in GRADES),
        weight=number_of(table.get("weight", 1.0), f"{where}.weight", above=0),
    )
