"""Everything that a run on verl reads: configuration, reward, data and exact versions, in one directory."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path

from models.prompts import Prompter, load_tokenizer, summarizer_input
from schemas.errors import ConfigError
from training.components.run_directory import RunDirectory
from training.evaluation.scorers import LogitScorer, open_scorer
from training.judging.postings import PostingRow
from training.rl.actor import Source
from training.rl.baselines.words import Count, text_of
from training.rl.config import RlConfig, check
from training.rl.order import step_postings
from training.rl.reward import Reward, Searches
from training.rl.run import RlInputs, described, load, tokenizer_of
from training.rl.verl_backend.rows import RewardRow, verl_row
from training.rl.verl_backend.scoring import RewardPlace
from training.rl.verl_backend.settings import Machines, verl_settings

REWARD_FILE = '''"""The reward of this run, as verl calls it; written by `nearline train rl --backend verl`."""

from pathlib import Path

from training.rl.verl_backend.scoring import VerlReward

REWARD = VerlReward.open(Path(__file__).with_name("reward.json"))


async def compute_score(data_source, solution_str, ground_truth, extra_info, **_):
    """The reward of one summary and its parts, from the ranker's server."""
    return await REWARD.score(solution_str, extra_info)
'''
VERSIONS = Path(__file__).with_name("requirements.txt")
"""What was installed when the configuration was last tried."""
CHUNK = 256
"""Postings whose raw texts are scored between two moves of a progress bar."""


def write_run(
    config: RlConfig,
    given: RlInputs,
    out: Path,
    machines: Machines,
    *,
    scorer: LogitScorer | None = None,
) -> int:
    """Write the directory and return how many different postings it trains on.

    Raises ConfigError for bad input before anything is written, ModelUnavailable for a ranker that gives no score on
    some raw text.
    """
    check(config)
    if not given.ranker.name.startswith(("http://", "https://")):
        raise ConfigError(f"--ranker {given.ranker.name}: verl's reward workers ask a server, give its URL")
    verl_settings(config, given.model, out, machines, prompt_tokens=1)  # refuses before the long part
    tokenizer = tokenizer_of(given.ranker)
    count, loaded = Prompter.from_dir(tokenizer).count_many, load(config, given)
    texts = _Prompts(given.model)
    wanted = [
        row
        for step in range(config.steps)
        for row in step_postings(config.seed, len(loaded.data.train), step, config.postings)
    ]
    used = {row: loaded.data.train[row] for row in sorted(set(wanted))}
    reward = Reward(scorer or open_scorer(given.ranker), count, loaded.searches, config.reward)
    known = dict(zip(used, _rows(list(used.values()), reward, count, loaded.searches), strict=True))
    dev = _rows(loaded.data.dev, reward, count, loaded.searches)
    train = [known[row] for row in wanted]
    longest = max(texts.tokens(row.source.posting) for row in [*known.values(), *dev])
    RunDirectory(out).start(described(config, given))
    out = out.resolve()
    _parquet(out / "train.parquet", train, texts)
    _parquet(out / "dev.parquet", dev, texts)

    settings = verl_settings(config, given.model.resolve(), out, machines, prompt_tokens=longest)
    # Hydra reads YAML, of which JSON is a part
    head = {"hydra": {"searchpath": ["pkg://verl.trainer.config"]}, "defaults": ["ppo_trainer", "_self_"]}
    (out / "verl.yaml").write_text(json.dumps(head | settings, indent=2) + "\n", encoding="utf-8")
    (out / "reward.py").write_text(REWARD_FILE, encoding="utf-8")
    shutil.copyfile(VERSIONS, out / "requirements.txt")
    RewardPlace(
        ranker=given.ranker.name,
        tokenizer=str(tokenizer.resolve()),
        lost=str(out / "lost.jsonl"),
        most_lost=config.reward.most_lost * config.group,
        reward=config.reward,
    ).write(out / "reward.json")
    return len(used)


class _Prompts:
    """Prompts of serving as text, cut to the model's budget."""

    def __init__(self, model: Path) -> None:
        self._prompter, self._tokenizer = Prompter.from_dir(model), load_tokenizer(model)

    def text(self, posting: PostingRow) -> str:
        return str(self._tokenizer.decode(self._ids(posting)))

    def tokens(self, posting: PostingRow) -> int:
        return len(self._ids(posting))

    def _ids(self, posting: PostingRow) -> list[int]:
        read = summarizer_input(posting.item.title, posting.item.text)
        return self._prompter.summarizer_ids_many([read])[0]


def _rows(
    postings: Sequence[PostingRow], reward: Reward, count: Count, searches: Searches
) -> list[RewardRow]:
    """The postings with the ranker's scores on their raw texts."""
    found: list[RewardRow] = []
    for start in range(0, len(postings), CHUNK):
        some = postings[start : start + CHUNK]
        texts = [text_of(row) for row in some]
        sources = [
            Source(posting=row, text=text, tokens=tokens)
            for row, text, tokens in zip(some, texts, count(texts), strict=True)
        ]
        for source, raw_Q in zip(sources, reward.raw(sources), strict=True):
            found.append(RewardRow(source=source, searches=tuple(searches(source)), raw_Q=raw_Q))
    return found


def _parquet(path: Path, rows: Sequence[RewardRow], prompts: _Prompts) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = [verl_row(prompts.text(row.source.posting), row, index) for index, row in enumerate(rows)]
    pq.write_table(pa.Table.from_pylist(table), path)
