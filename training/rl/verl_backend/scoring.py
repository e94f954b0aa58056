"""The reward that verl's workers call for one summary at a time; the ranker's server makes batches of their requests.

A summary without a score is noted in a file that all workers share: verl drops a posting whose reward raises and goes
on, so that only the launcher, which watches that file, can end the run.
"""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from models.guards import GUARDS
from models.prompts import Prompter
from schemas.errors import ModelUnavailable
from training.evaluation.scorers import LogitScorer, open_scorer
from training.evaluation.settings import RankerPlace
from training.rl.config import RewardConfig
from training.rl.reward import Count, GroupReward, Reward
from training.rl.verl_backend.rows import RewardRow, reward_row

THREADS = 32
"""Summaries that one worker scores at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RewardPlace:
    """reward.json: the server of the ranker, its tokenizer, the reward's settings, and the file of what is lost."""

    ranker: str
    tokenizer: str
    lost: str
    most_lost: int
    reward: RewardConfig

    def write(self, path: Path) -> None:
        """Write it as JSON."""
        path.write_text(json.dumps(asdict(self), indent=2) + "\n", encoding="utf-8")


def read_place(path: Path) -> RewardPlace:
    """Read reward.json."""
    said = json.loads(path.read_text(encoding="utf-8"))
    return RewardPlace(**said | {"reward": RewardConfig(**said["reward"])})


class VerlReward:
    """Equation (4) as in a local run, for one summary; the ranker's scores on raw text stand in the row."""

    def __init__(self, place: RewardPlace, scorer: LogitScorer, count: Count) -> None:
        self._lost, self._config = Path(place.lost), place.reward
        # a lost summary is counted by the file, for all workers together
        self._settings = replace(place.reward, most_lost=2**31)
        self._scorer, self._count = scorer, count
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="reward")

    @classmethod
    def open(cls, path: Path) -> VerlReward:
        """Read reward.json; ConfigError for a tokenizer that is not there."""
        place = read_place(path)
        tokenizer = Path(place.tokenizer)
        scorer = open_scorer(RankerPlace(name=place.ranker, tokenizer=tokenizer))
        return cls(place, scorer, Prompter.from_dir(tokenizer).count_many)

    async def score(self, summary: str, extra_info: Mapping[str, Any]) -> dict[str, float]:
        """The reward as `score`, and its parts and guards, which verl logs beside it. ModelUnavailable without one."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, self.scored, summary, reward_row(extra_info))

    def scored(self, summary: str, row: RewardRow) -> dict[str, float]:
        """As `score`, waiting."""
        reward = Reward(self._scorer, self._count, lambda _: row.searches, self._settings)
        reward.know(row.source, row.raw_Q)
        (found,) = reward.of([row.source], [[summary.strip()]])
        if found is None or not math.isfinite(found.total[0]):
            self._note(row.source.posting.posting_id)
            raise ModelUnavailable(f"no score for a summary of the posting {row.source.posting.posting_id}")
        return _parts(found)

    def _note(self, posting_id: str) -> None:
        with self._lost.open("a", encoding="utf-8") as lines:
            lines.write(json.dumps(posting_id) + "\n")


def _parts(found: GroupReward) -> dict[str, float]:
    names = ("agreement", "grade", "penalty", "tokens", "shares")
    parts = {name: float(getattr(found, name)[0]) for name in names}
    guards = {name: float(name in found.flags[0]) for name in GUARDS}
    return {"score": float(found.total[0]), **parts, **guards}
