"""The ranker's scores of (query, posting) pairs, from a checkpoint directory computed here or from a model server.

A third scorer of the same protocol is `training.evaluation.offline.TransformersScorer`, for models that are not served.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property, partial
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import torch
from typing_extensions import override

from models.calibration import Calibration, read_calibration
from models.client.remote import open_ranker
from models.divergence import logit
from models.engine.base import ScoreJob
from models.engine.checkpoint import Checkpoint, load_checkpoint
from models.engine.checkpoint_engine import PASS_TOKENS
from models.engine.decoder import Decoder, Head
from models.engine.forward.base import Forward
from models.engine.forward.packed import PackedForward
from models.engine.forward.plan import passes
from models.engine.kernel_cache import KERNEL_CACHE
from models.engine.kernel_choice import AUTO
from models.engine.native.loading import load_kernels
from models.engine.native.opening import open_forward
from models.prompts import Item, Prompter
from models.ranker import Ranker
from schemas.errors import ConfigError
from training.components.arrays import Floats
from training.evaluation.settings import RankerPlace

Asked = tuple[str, Sequence[Item]]
"""A query and the items that are scored for it."""


class LogitScorer(Protocol):
    """Gives logit_yes - logit_no of equation (2), computed in fp32 or recovered from an fp32 probability.

    Where the model has a calibration it is the calibrated difference, as `nearline serve` gives it.

    Logit differences and not p_yes, because probabilities near 1 tie where logits still differ.
    """

    @property
    def settings(self) -> dict[str, Any]:
        """What a report says of the model: its name, and how its scores are computed."""
        ...

    def differences(self, asked: Sequence[Asked]) -> list[Floats]:
        """For each query the values of its items, in their order."""
        ...


class EngineScorer(LogitScorer):
    """A checkpoint in this process: fp32 on the engine's quickest exact path; each posting is tokenized once."""

    def __init__(
        self,
        path: Path,
        device: str = "auto",
        cache: Path = KERNEL_CACHE,
        kernels: str = AUTO,
        *,
        calibration: Calibration | None = None,
    ) -> None:
        """Raise ConfigError for an incomplete directory, or one whose tokenizer is another model's.

        Without `calibration` the values are the model's own, whatever lies in the directory.
        """
        self._calibration = calibration
        self._prompter = Prompter.from_dir(path)
        self._checkpoint = load_checkpoint(path, "ranker")
        self._device, self._load = _device(device), partial(load_kernels, cache, kernels)
        self._ids: dict[Item, npt.NDArray[np.int32]] = {}

    @property
    @override
    def settings(self) -> dict[str, Any]:
        """`parameters` counts tied embeddings once."""
        shape, name, calibration = self._checkpoint.shape, self._checkpoint.name, self._calibration
        return {
            "model": calibration.name(name) if calibration else name,
            "threshold": calibration.threshold if calibration else None,
            "parameters": parameters(self._checkpoint),
            "layers": shape.layers,
            "mlp": shape.mlp,
            "dtype": "float32",
            "device": self._device.type,
            "budget_tokens": self._prompter.budget,
        }

    @torch.inference_mode()
    @override
    def differences(self, asked: Sequence[Asked]) -> list[Floats]:
        """Compute a query's prefix once a pass for its items; the items' token ids are kept for later calls."""
        jobs = list(self._jobs(asked))
        found = [np.zeros(len(job.items)) for job in jobs]
        labels = torch.tensor(self._prompter.label_ids, device=self._device)
        for plan, parts in passes(jobs, PASS_TOKENS[self._device.type]):
            logits_PL = self._head.logits(self._forward.last_hidden(plan), labels)
            flat = (logits_PL[:, 0] - logits_PL[:, 1]).double().cpu().numpy()
            for part in parts:
                count = part.items.stop - part.items.start
                found[part.job][part.items], flat = flat[:count], flat[count:]
        return (
            [np.array([self._calibration.logit(x) for x in row]) for row in found]
            if self._calibration
            else found
        )

    def _jobs(self, asked: Sequence[Asked]) -> Iterator[ScoreJob]:
        self._tokenize([item for _, items in asked for item in items])
        for query, items in asked:
            rows = [self._ids[item].tolist() for item in items]
            prefix, labels = self._prompter.prefix_ids(query), list(self._prompter.label_ids)
            yield ScoreJob(
                prefix=prefix,
                items=rows,
                labels=[labels] * len(rows),
                softmax_over_labels=True,
                temperature=1.0,
            )

    def _tokenize(self, items: Sequence[Item]) -> None:
        new = [item for item in dict.fromkeys(items) if item not in self._ids]
        rows = self._prompter.item_ids_many(new)
        self._ids |= {item: np.array(ids, dtype=np.int32) for item, ids in zip(new, rows, strict=True)}

    @cached_property
    def _head(self) -> Head:
        return Head(self._checkpoint, dtype=torch.float32, device=self._device)

    @cached_property
    def _forward(self) -> Forward:
        cpu = self._device.type == "cpu"
        found = open_forward(self._checkpoint, "float32", self._load) if cpu else None
        return found or PackedForward(Decoder(self._checkpoint, dtype=torch.float32, device=self._device))


class ServerScorer(LogitScorer):
    """The logit of a model server's p_yes; pairs whose fp32 p_yes is equal are ties."""

    def __init__(self, ranker: Ranker, deadline_s: float = 120.0) -> None:
        self._ranker, self._deadline_s = ranker, deadline_s

    @property
    @override
    def settings(self) -> dict[str, Any]:
        """The name is asked of the server, which may raise ModelUnavailable."""
        return {"model": self._ranker.model, "scores": "p_yes of a model server"}

    @override
    def differences(self, asked: Sequence[Asked]) -> list[Floats]:
        """Raises ModelUnavailable or ModelRejected."""
        return [
            logit(np.array(self._ranker.score_many(query, items, self._deadline_s))) for query, items in asked
        ]


def open_scorer(place: RankerPlace) -> LogitScorer:
    """The scorer for a directory or URL; ConfigError for an incomplete directory or one of another model."""
    if place.name == "instant:" or place.name.startswith(("http://", "https://")):
        return ServerScorer(open_ranker(place.name, place.tokenizer))
    path = Path(place.name)
    if not path.is_dir():
        raise ConfigError(f"--ranker {place.name}: neither a checkpoint directory nor a model server's URL")
    calibration = read_calibration(path)
    return EngineScorer(path, place.device, place.kernel_cache, place.kernels, calibration=calibration)


def parameters(checkpoint: Checkpoint) -> int:
    """Number of parameters; a tied head that is stored a second time counts once."""
    tied = {"lm_head.weight"} if checkpoint.shape.tied else set()
    return sum(w.numel() for name, w in checkpoint.weights.items() if name not in tied)


def _device(name: str) -> torch.device:
    cuda = torch.cuda.is_available()
    wanted = ("cuda" if cuda else "cpu") if name == "auto" else name
    if wanted not in {"cpu", "cuda"} or (wanted == "cuda" and not cuda):
        raise ConfigError(f"--device {name!r}: use auto, cpu, or cuda where torch sees a GPU")
    return torch.device(wanted)
