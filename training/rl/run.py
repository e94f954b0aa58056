"""One reinforcement-learning run, from its input files to its run directory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

from models.prompts import Prompter, is_textless, summarizer_input
from schemas.errors import ConfigError
from training.components import inputs
from training.components.run_directory import RunDirectory
from training.components.stopping import Stop
from training.evaluation.scorers import LogitScorer, open_scorer
from training.evaluation.settings import RankerPlace
from training.judging.judged_file import read_judged_queries
from training.judging.postings import PostingRow, read_postings
from training.judging.records import ALL
from training.judging.splits import split
from training.rl.actor import Source
from training.rl.algorithms import open_algorithm
from training.rl.config import RlConfig, check
from training.rl.loop import Rl, RlData, RlResult, Watch
from training.rl.opening import open_actor
from training.rl.queries import Search, SearchMaker
from training.rl.reward import Reward, Searches
from training.rules.corpus import domain_of
from training.rules.lexicon.entries import lexicon


@dataclass(frozen=True, slots=True, kw_only=True)
class RlInputs:
    """The files of a run. `judged`: grades for the option `reward.grade_weight`, None without.

    `device`: auto, cpu or cuda, of the actor.
    """

    model: Path
    ranker: RankerPlace
    postings: tuple[Path, ...]
    judged: Path | None = None
    device: str = "cpu"


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """Postings with text by split, and the searches by which each is judged."""

    data: RlData
    searches: Searches


def reinforce(
    config: RlConfig,
    given: RlInputs,
    out: Path,
    *,
    stop: Stop,
    watch: Watch,
    resume: bool = False,
    scorer: LogitScorer | None = None,
) -> RlResult:
    """Train, and leave the best actor in `out/best`; with `resume` continue the run in `out`, if there is one.

    Raises ConfigError for bad input before anything is written, ModelUnavailable for a ranker that stays away,
    TrainingDiverged for what is not finite, StoreFull when a checkpoint cannot be written.
    """
    check(config)
    if config.reward.grade_weight and given.judged is None:
        raise ConfigError("reward.grade_weight needs grades: give --judged FILE")
    algorithm = open_algorithm(config)
    count = Prompter.from_dir(tokenizer_of(given.ranker)).count_many
    name = f"summarizer@{out.resolve().name}"
    actor = open_actor(config, given.model, count, name=name, device=given.device)
    scorer = scorer or open_scorer(given.ranker)
    loaded = load(config, given)
    run = RunDirectory(out, keep_last=config.keep_last)
    again = resume and run.started
    (run.resume if again else run.start)(described(config, given))
    reward = Reward(scorer, count, loaded.searches, config.reward)
    rl = Rl(config, loaded.data, actor, algorithm, reward, run, stop=stop, watch=watch)
    return rl.train(run.checkpoints()[-1] if again and run.checkpoints() else None)


def tokenizer_of(place: RankerPlace) -> Path:
    """The directory of a ranker's tokenizer; ConfigError for a server without one."""
    if Path(place.name).is_dir():
        return Path(place.name)
    if place.tokenizer is None:
        raise ConfigError(f"--ranker {place.name} needs --tokenizer DIR: lengths are in its tokens")
    return place.tokenizer


def load(config: RlConfig, given: RlInputs) -> Loaded:
    """Read, split by company and draw searches, file by file; ConfigError where a split has no posting with text."""
    train: list[PostingRow] = []
    dev: list[PostingRow] = []
    makers: dict[str, SearchMaker] = {}
    for path in given.postings:
        rows = [row for row in read_postings(path) if not is_textless(summarizer_input("", row.item.text))]
        by_split, words = split(rows).postings, lexicon(domain_of(rows))
        for name, found in (("train", train), ("dev", dev)):
            of_file = by_split[name]  # type: ignore[index]
            maker = SearchMaker(of_file, words, name, count=config.queries, seed=config.seed)  # type: ignore[arg-type]
            found += [row for row in of_file if row.posting_id not in makers]
            makers |= {row.posting_id: maker for row in of_file if row.posting_id not in makers}
    for name, found in (("train", train), ("dev", dev)):
        if not found:
            raise ConfigError(
                f"--postings: no posting with text falls into the split {name}: give more postings"
            )
    chosen = Random(f"dev {config.seed}").sample(dev, min(len(dev), config.dev_postings))
    graded = _graded(given.judged)

    def searches(source: Source) -> Sequence[Search]:
        posting = source.posting
        return (
            *makers[posting.posting_id].of(posting),
            *graded.get(posting.posting_id, ())[: config.queries],
        )

    return Loaded(data=RlData(train=train, dev=chosen), searches=searches)


def _graded(judged: Path | None) -> Mapping[str, Sequence[Search]]:
    """By posting the judged queries with the posting's soft label; nothing without a file."""
    found: dict[str, list[Search]] = {}
    for query in read_judged_queries(judged, ALL) if judged else ():
        if query.split == "test":
            continue
        for posting, soft in zip(query.posting_ids, query.soft_labels, strict=True):
            search = Search(query=query.query, kind="graded", soft_label=soft)
            found.setdefault(posting, []).append(search)
    return found


def described(config: RlConfig, given: RlInputs) -> dict[str, object]:
    """What config.json of a run holds: settings, inputs and versions."""
    files = {"model": given.model} | {f"postings {n}": path for n, path in enumerate(given.postings, 1)}
    if given.judged:
        files["judged"] = given.judged
    if Path(given.ranker.name).is_dir():
        files["ranker"] = Path(given.ranker.name)
        return inputs.describe(config, files)
    return inputs.describe(config, files, ranker=given.ranker.name)
