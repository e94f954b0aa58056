"""An `Engine` that computes a checkpoint directory of any architecture in `architectures.py`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property, partial
from pathlib import Path

import torch
from torch import Tensor
from typing_extensions import override

from models.calibration import CalibratedLabels, read_calibration
from models.engine import generating, scoring
from models.engine.base import Engine, Generated, GenerateJob, ModelInfo, ScoreJob
from models.engine.checkpoint import load_checkpoint
from models.engine.decoder import Decoder, Head
from models.engine.forward.base import Forward
from models.engine.forward.multi_item import MultiItemForward
from models.engine.forward.packed import PackedForward
from models.engine.forward.plan import Plan
from models.engine.kernel_cache import KERNEL_CACHE
from models.engine.kernel_choice import AUTO, TORCH
from models.engine.native.loading import load_kernels
from models.engine.native.opening import open_forward
from models.engine.stops import settled
from models.prompts import Prompter, load_tokenizer
from schemas.errors import ConfigError

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "int8": torch.bfloat16}
"""Type that the weights are kept in. `int8` also quantizes scoring's linear layers, and their inputs row by row."""
PASS_TOKENS = {"cpu": 8_192, "cuda": 65_536}
"""Most tokens of one forward pass: enough to use the whole device, few enough to keep activations small."""


class SharingMode(StrEnum):
    """How prompts with a common prefix share its computation; the scores are the same."""

    AUTO = "auto"
    """MULTI_ITEM on a GPU, SHARED_PREFIX on a CPU."""
    SHARED_PREFIX = "shared-prefix"
    """In-batch prefix caching: attention to the prefix and to a prompt's own tokens, merged by their log-sum-exps."""
    MULTI_ITEM = "multi-item"
    """All prompts in one packed sequence, under a mask."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineConfig:
    """How a checkpoint is computed; dtype `auto` is bfloat16 on a GPU, float32 on a CPU."""

    dtype: str = "auto"
    device: str = "auto"
    threads: int = 0
    """Threads of one forward pass; 0 keeps torch's default, one for each core."""
    role: str = "model"
    """What clients call this model, such as `ranker`: part of its name if the directory has no nearline.json."""
    mode: SharingMode = SharingMode.AUTO
    kernels: str = AUTO
    """Variant of the C++ kernels of `models/engine/native`; `auto` is the best that the machine has, `torch` none."""
    kernel_cache: Path = KERNEL_CACHE
    """Folder in which they are kept once compiled."""


class CheckpointEngine(Engine):
    """Computes a checkpoint; loading it checks the directory and runs the model once."""

    def __init__(self, path: Path, config: EngineConfig) -> None:
        """Raise ConfigError for an incomplete checkpoint, another architecture, or an unknown dtype or device."""
        self._device, self._dtype = _placement(config)
        self._config = config
        if config.threads:
            torch.set_num_threads(config.threads)
        self._checkpoint = load_checkpoint(path, config.role)
        self._tokenizer = load_tokenizer(path)
        self._head = Head(self._checkpoint, dtype=self._dtype, device=self._device)
        shape, calibrated = self._checkpoint.shape, _calibrated(path)
        name = self._checkpoint.name
        self._info = ModelInfo(
            name=calibrated.calibration.name(name) if calibrated else name,
            calibrated=calibrated,
            vocab_size=shape.vocab,
            context_tokens=shape.context,
            hidden_size=shape.hidden,
            scored_as=f"{self._mode}/{_arithmetic(config.dtype, self._dtype)}",
        )
        if config.role != "summarizer":
            self._warm_up()

    @property
    @override
    def info(self) -> ModelInfo:
        """Its name is that in nearline.json, or made of role and directory, with the mark of a calibration.

        Its limits are those of config.json.
        """
        return self._info

    @override
    def encode_many(self, texts: Sequence[str], *, special_tokens: bool = True) -> list[list[int]]:
        """Encode all texts in one call of the tokenizer, without the character offsets, which nothing here needs."""
        encodings = self._tokenizer.encode_batch_fast(list(texts), add_special_tokens=special_tokens)
        return [encoding.ids for encoding in encodings]

    @override
    def score_many(self, jobs: Sequence[ScoreJob]) -> list[list[list[float]]]:
        """Compute passes of about PASS_TOKENS of the device, in which prompts of one job share their prefix."""
        return scoring.score_many(self._forward, self._head, jobs, PASS_TOKENS[self._device.type])

    @property
    def device(self) -> torch.device:
        """Where it computes."""
        return self._device

    @torch.inference_mode()
    def hidden_many(self, prompts: Sequence[Sequence[int]]) -> Tensor:
        """Return the state of every token of these prompts after the final norm, one prompt after another, in fp32.

        The prompts are [tokens] each, none empty, the result is [all tokens, hidden]. They share nothing.
        """
        states = []
        for few in _few(prompts, PASS_TOKENS[self._device.type]):
            plan = Plan()
            for prompt in few:
                plan.add((), [prompt])
            states.append(self._head.normed(self._forward.hidden(plan)))
        return torch.cat(states)

    @override
    def generate_many(self, jobs: Sequence[GenerateJob]) -> list[Generated]:
        """Decode all jobs as one batch with a key-value cache; a text ends before the first stop string in it."""

        def stopped(row: int, tokens: list[int]) -> bool:
            job, text = jobs[row], self._decode(tokens)
            if any(stop in text for stop in job.stop):
                return True
            if job.course.on_text:
                job.course.on_text(settled(text, job.stop), len(tokens))
            return False

        eos_ids = self._checkpoint.eos_ids
        rows = generating.generate_many(self._model, self._head, jobs, eos_ids, stopped)
        return [self._generated(job, *row) for job, row in zip(jobs, rows, strict=True)]

    @property
    def _mode(self) -> SharingMode:
        if self._config.mode is not SharingMode.AUTO:
            return self._config.mode
        return SharingMode.MULTI_ITEM if self._device.type == "cuda" else SharingMode.SHARED_PREFIX

    @cached_property
    def _forward(self) -> Forward:
        config, cuda = self._config, self._device.type == "cuda"
        multi_item = self._mode is SharingMode.MULTI_ITEM
        if not (multi_item or cuda or config.kernels == TORCH):
            load, named = partial(load_kernels, config.kernel_cache, config.kernels), config.kernels != AUTO
            forward = open_forward(self._checkpoint, config.dtype, load, forced=named)
            if forward:
                return forward
        if config.dtype == "int8":
            raise ConfigError(
                "dtype 'int8' needs a CPU with AVX2, AVX-512 or NEON, a C++ compiler or the project's wheel, "
                "and shared prefixes"
            )
        return MultiItemForward(self._model, compiled=cuda) if multi_item else PackedForward(self._model)

    @cached_property
    def _model(self) -> Decoder:
        return Decoder(self._checkpoint, dtype=self._dtype, device=self._device)

    def _generated(self, job: GenerateJob, tokens: list[int], reason: str) -> Generated:
        text = self._decode(tokens)
        ends = [text.find(stop) for stop in job.stop if stop in text]
        return Generated(text=text[: min(ends, default=None)], tokens=len(tokens), finish_reason=reason)

    def _decode(self, tokens: list[int]) -> str:
        return str(self._tokenizer.decode(tokens))

    def _warm_up(self) -> None:
        job = ScoreJob(
            prefix=[0], items=[[0] * 8] * 2, labels=[[0, 1]] * 2, softmax_over_labels=True, temperature=1.0
        )
        self.score_many([job, job])


def _few(prompts: Sequence[Sequence[int]], most_tokens: int) -> Iterator[list[Sequence[int]]]:
    """Yield the prompts in order, in groups of about `most_tokens` at most."""
    group: list[Sequence[int]] = []
    tokens = 0
    for prompt in prompts:
        if group and tokens + len(prompt) > most_tokens:
            yield group
            group, tokens = [], 0
        group.append(prompt)
        tokens += len(prompt)
    if group:
        yield group


def _calibrated(path: Path) -> CalibratedLabels | None:
    """The calibration in a checkpoint directory, with its tokenizer's label tokens."""
    found = read_calibration(path)
    if found is None:
        return None
    return CalibratedLabels(calibration=found, label_ids=Prompter.from_dir(path).label_ids)


def _arithmetic(asked: str, dtype: torch.dtype) -> str:
    """The name of the arithmetic of scoring, which `auto` leaves to the device."""
    return str(dtype).removeprefix("torch.") if asked == "auto" else asked


def _placement(config: EngineConfig) -> tuple[torch.device, torch.dtype]:
    cuda = torch.cuda.is_available()
    name = ("cuda" if cuda else "cpu") if config.device == "auto" else config.device
    if name.startswith("cuda") and not cuda:
        raise ConfigError(f"device {name!r} asked for, but torch sees no GPU: use --device cpu")
    dtype = ("bfloat16" if name.startswith("cuda") else "float32") if config.dtype == "auto" else config.dtype
    if dtype not in DTYPES:
        raise ConfigError(f"dtype {dtype!r} is unknown: use one of auto, {', '.join(DTYPES)}")
    return torch.device(name), DTYPES[dtype]
