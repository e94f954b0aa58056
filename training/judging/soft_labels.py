"""From a grade to the soft label p*_yes of equation (3); the paper gives no formula, so a policy chooses one."""

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
    """How soft labels are made.

    `method`: `expected` divides by 4 the label or the mean of the dimensions' grades, as `of` says; `table` gives each
    label a value; `distribution` divides by 4 the expected label under the teacher's probabilities, and is
    `expected` for a verdict without them.
    All values are moved to at least `margin` from 0 and 1, so that no logit is asked to grow without bound.
    """

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
    """The values of `soft_label.table`, one for each label, checked; () where there is no table and none is needed."""
    if values is None and method != "table":
        return ()
    if not isinstance(values, list) or len(values) != MAX_GRADE + 1 or not all(map(is_number, values)):
        raise ValueError(
            f"soft_label.table must be {MAX_GRADE + 1} numbers, one for each label, not {values!r:.80}"
        )
    if values != sorted(values) or values[0] < 0 or values[-1] > 1:
        raise ValueError(f"soft_label.table must rise within [0, 1], not {values!r}")
    return tuple(float(value) for value in values)
