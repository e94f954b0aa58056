"""`python -m training.rules --postings FILE --out DIR`: rule-derived judgements of every split, as Parquet."""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console
from rich.progress import track

from schemas.errors import ConfigError
from training.judged import Judgement, Split, read_postings
from training.judged_parquet import write_judgements
from training.rules.judge import JudgeConfig, Prepared, judged, prepare
from training.rules.lexicon import DOMAINS
from training.rules.splits import check_no_leak

_CONFIG = JudgeConfig()
SPLITS: tuple[Split, ...] = ("test", "dev", "train")


@dataclass(slots=True)
class Tally:
    """What went into one split's file."""

    queries: int = 0
    labels: Counter[int] = field(default_factory=Counter)
    strata: Counter[str] = field(default_factory=Counter)

    def add(self, rows: Sequence[Judgement]) -> None:
        """Count one query."""
        self.queries += 1
        self.labels.update(row.label for row in rows)
        self.strata.update(rows[0].strata)

    def __str__(self) -> str:
        rows = self.labels.total()
        grades = ", ".join(
            f"{label}: {100 * self.labels[label] / rows:.1f}%" for label in sorted(self.labels)
        )
        strata = ", ".join(f"{name} {count}" for name, count in sorted(self.strata.items()))
        return f"{self.queries} queries, {rows / self.queries:.1f} candidates each; grades {grades}; {strata}"


def main() -> None:
    """Read the arguments, write the files, print what they hold."""
    args = _parser().parse_args()
    console = Console(stderr=True, highlight=False)
    config = JudgeConfig(
        queries={"train": args.queries_train, "dev": args.queries_dev, "test": args.queries_test},
        seed=args.seed,
    )
    try:
        run(args.postings, args.out, config, args.domain, args.cache, args.dense, console)
    except ConfigError as error:
        console.print(str(error), markup=False)
        raise SystemExit(2) from None


def run(
    files: Sequence[Path],
    out: Path,
    config: JudgeConfig,
    domain: str | None,
    cache: Path | None,
    with_dense: bool,
    console: Console,
) -> None:
    """Judge queries over the postings of the files and write DIR/train.parquet, dev.parquet, test.parquet."""
    postings = list({row.posting_id: row for file in files for row in read_postings(file)}.values())
    prepared = prepare(postings, next((d for d in DOMAINS if d == domain), None), cache)
    check_no_leak(prepared.splits.postings)
    sizes = ", ".join(f"{name} {len(prepared.splits.postings[name])}" for name in SPLITS)
    console.print(
        f"{len(postings)} postings ({prepared.words.domain}): {sizes}; dropped as twins {len(prepared.splits.dropped)}"
    )
    for name in SPLITS:
        tally = Tally()
        rows = _rows(prepared, name, config, tally, with_dense=with_dense)
        write_judgements(out / f"{name}.parquet", rows)
        console.print(f"{name}: {tally}")


def _rows(
    prepared: Prepared, name: Split, config: JudgeConfig, tally: Tally, *, with_dense: bool
) -> Iterator[Judgement]:
    pool = config.train_pool if name == "train" else config.pool
    dense = None
    if with_dense and name != "train":
        from training.rules.dense import dense_over  # noqa: PLC0415 - heavy

        dense = dense_over(prepared.splits.postings[name])
    count = config.queries[name]
    queries: Iterable[list[Judgement]] = judged(prepared, name, count, config.seed, pool, dense=dense)
    for rows in track(queries, total=count, description=name, transient=True):
        tally.add(rows)
        yield from rows


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m training.rules", description=__doc__)
    parser.add_argument(
        "--postings", type=Path, action="append", required=True, help="JSON Lines, plain or .gz; may repeat"
    )
    parser.add_argument(
        "--out", type=Path, required=True, help="folder of train.parquet, dev.parquet, test.parquet"
    )
    for name in SPLITS:
        parser.add_argument(f"--queries-{name}", type=int, default=_CONFIG.queries[name])
    parser.add_argument("--seed", type=int, default=_CONFIG.seed)
    parser.add_argument("--domain", choices=DOMAINS, help="the lexicon; default: by the titles")
    parser.add_argument(
        "--cache", type=Path, default=Path("build/rules"), help="folder of evidence found before"
    )
    parser.add_argument(
        "--dense", action="store_true", help="add MiniLM's neighbours to the dev and test pools"
    )
    return parser


if __name__ == "__main__":
    main()
