"""The judged table as Parquet: one row a judgement; grades and evidence are JSON objects."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, get_args

from schemas.errors import ConfigError
from training.judged import MAX_GRADE, Judgement, Split

TEXTS = ("query_id", "query", "posting_id", "grades", "rationale", "evidence", "teacher", "policy", "split")
COLUMNS = (*TEXTS[:4], "label", "soft_label", *TEXTS[4:], "strata")


def write_judged(path: Path, judgements: Sequence[Judgement]) -> None:
    """Write the whole table or nothing: what stood at `path` stays until the new file is complete."""
    import pyarrow as pa  # noqa: PLC0415
    from pyarrow import parquet  # noqa: PLC0415

    kinds: dict[str, Any] = dict.fromkeys(TEXTS, pa.string())
    kinds |= {"label": pa.int8(), "soft_label": pa.float32(), "strata": pa.list_(pa.string())}
    schema = pa.schema([pa.field(name, kinds[name], nullable=False) for name in COLUMNS])
    table = pa.Table.from_pylist([_row(judgement) for judgement in judgements], schema=schema)
    draft = path.with_name(f".{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        parquet.write_table(table, draft, compression="zstd")
        draft.replace(path)
    except OSError as error:
        draft.unlink(missing_ok=True)
        msg = f"the judged table {path} cannot be written: {error}"
        raise ConfigError(msg) from error


def read_judged(path: Path) -> list[Judgement]:
    """The judgements of a table, in its order; ConfigError names the column or the row that is wrong."""
    import pyarrow as pa  # noqa: PLC0415
    from pyarrow import parquet  # noqa: PLC0415

    try:
        table = parquet.read_table(path)
    except (pa.ArrowException, OSError) as error:
        msg = f"{path} is not a Parquet file: {error}"
        raise ConfigError(msg) from error
    missing = [name for name in COLUMNS if name not in table.column_names]
    if missing:
        msg = f"{path} is no judged table: it lacks the column {missing[0]!r}; columns: {', '.join(COLUMNS)}"
        raise ConfigError(msg)
    judgements = []
    for number, row in enumerate(table.select(list(COLUMNS)).to_pylist(), 1):
        try:
            judgements.append(_judgement(row))
        except (ValueError, TypeError) as error:
            msg = f"{path}, row {number}: {error}"
            raise ConfigError(msg) from error
    return judgements


def _row(judgement: Judgement) -> dict[str, Any]:
    row = {name: getattr(judgement, name) for name in COLUMNS}
    return row | {
        "grades": json.dumps(judgement.grades, ensure_ascii=False),
        "evidence": json.dumps(judgement.evidence, ensure_ascii=False),
        "strata": list(judgement.strata),
    }


def _judgement(row: dict[str, Any]) -> Judgement:
    for name in TEXTS:
        if not isinstance(row[name], str):
            msg = f"{name} must be a text, not {row[name]!r:.40}"
            raise ValueError(msg)  # noqa: TRY004  (a mistake in a file, not in a call)
    grades, evidence = (json.loads(row[name]) for name in ("grades", "evidence"))
    for name, grade in [*grades.items(), ("label", row["label"])]:
        if grade not in range(MAX_GRADE + 1):
            msg = f"{name} must be a grade from 0 to {MAX_GRADE}, not {grade!r}"
            raise ValueError(msg)
    if row["soft_label"] is None or not 0 <= row["soft_label"] <= 1:
        msg = f"soft_label must lie in [0, 1], not {row['soft_label']!r}"
        raise ValueError(msg)
    if row["split"] not in get_args(Split):
        msg = f"split must be one of {', '.join(get_args(Split))}, not {row['split']!r}"
        raise ValueError(msg)
    return Judgement(**row | {"grades": grades, "evidence": evidence, "strata": tuple(row["strata"] or ())})
