"""Grade → soft label: p*_yes of equation (3), for which the paper gives no formula."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, cast, get_args

from training.judging.records import MAX_GRADE
from training.judging.toml_fields import is_number, number_of, one_of, only

Method = Literal["expected", "table", "distribution"]
Of = Literal["label", "mean"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SoftLabels:
    """`expected`: a grade in [0, 4] divided by 4; `table`: a value for each label; both at least `margin` inside (0, 1)."""

    method: Method = "expected"
    of: Of = "label"
    margin: float = 0.02
    table: tuple[float, ...] = ()

    def of_grade(self, grade: float) -> float:
        """A grade in [0, 4], divided by 4."""
        return self._inside(grade / MAX_GRADE)

    def of_label(self, label: int) -> float:
        """The table's value of a label 0-4."""
        return self._inside(self.table[label])

    def _inside(self, value: float) -> float:
        return min(max(value, self.margin), 1 - self.margin)


def soft_labels_of(table: Mapping[str, Any]) -> SoftLabels:
    """The `[soft_label]` table of a policy file; ValueError names the key that is wrong."""
    default = SoftLabels()
    only(table, ("method", "of", "margin", "table"), "soft_label.")
    method = one_of(table.get("method", default.method), get_args(Method), "soft_label.method")
    of = one_of(table.get("of", default.of), get_args(Of), "soft_label.of")
    return SoftLabels(
        method=cast("Method", method),
        of=cast("Of", of),
        margin=number_of(table.get("margin", default.margin), "soft_label.margin", above=0, below=0.5),
        table=_values(table.get("table"), method),
    )


def _values(values: object, method: str) -> tuple[float, ...]:
    """Probabilities of the labels 0-4, none below its predecessor; none at all where no table is used."""
    if values is None and method != "table":
        return ()
    if not isinstance(values, list) or len(values) != MAX_GRADE + 1 or not all(map(is_number, values)):
        raise ValueError(
            f"soft_label.table must be {MAX_GRADE + 1} numbers, one for each label, not {values!r:.80}"
        )
    if values != sorted(values) or values[0] < 0 or values[-1] > 1:
        raise ValueError(f"soft_label.table must rise within [0, 1], not {values!r}")
    return tuple(float(value) for value in values)
