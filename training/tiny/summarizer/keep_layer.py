"""Training of the flag `KEPT` of the summarizer's first layer: targets by salience and place, and the loop."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits
from transformers import Qwen3ForCausalLM, Qwen3Model

from models.prompts import summarizer_input
from training.components.arrays import Floats
from training.components.finite import check_number
from training.components.optimizer import Optimizer, schedule
from training.components.reporting import Log
from training.tiny.encoding import EncodedPosting, Encoder
from training.tiny.summarizer import copy_circuit

STEADY = 250
"""Up to this place a fixed share of tokens is kept; beyond it the share falls with the square of the place."""
STEEP = 8.0
"""Factor from `KEPT` minus the decision to the logit of the loss."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeepingRun:
    """Settings of the training.

    `share`: part of the tokens up to STEADY that is kept; `random_share`: part of the documents whose words are
    replaced.
    """

    minutes: float = 6.0
    steps: int = 100_000
    batch: int = 16
    share: float = 0.13
    random_share: float = 0.3
    matrix_rate: float = 0.01
    vector_rate: float = 2e-3


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A summarizer's prompt as ids, and the range of places that its text takes: only those tokens may be kept."""

    ids: list[int]
    text: range


def documents(encoder: Encoder, items: Sequence[EncodedPosting]) -> list[Document]:
    """The prompts of generated postings; their text is the description, so that title and prompt words are not kept."""
    heads = encoder.prompter.summarizer_ids_many([summarizer_input(item.posting.title, "") for item in items])
    with_text, without = encoder.prompter.summarizer_ids_many(["x", ""])
    reply = next(without[i:] for i in range(len(without)) if with_text[i] != without[i])
    out = []
    for item, head in zip(items, heads, strict=True):
        text = [i for part in item.parts for i in part.ids]
        before = len(head) - len(reply)
        out.append(Document(ids=head[:before] + text + reply, text=range(before, before + len(text))))
    return out


def shuffled(rng: Random, document: Document, vocab_size: int) -> Document:
    """A copy with random words for its text, so that `KEPT` is learned for the whole vocabulary."""
    ids = [rng.randrange(3, vocab_size) if at in document.text else i for at, i in enumerate(document.ids)]
    return Document(ids=ids, text=document.text)


def thresholds(score_V: Floats, texts: Sequence[Document], share: float, length: int = 2048) -> Floats:
    """[length] salience that a token must exceed at each place, so that about the wanted share is kept there."""
    first = [score_V[i] for d in texts for i in dict.fromkeys(d.ids[d.text.start : d.text.stop])]
    total = sum(len(d.text) for d in texts)
    ordered = np.sort(np.array(first))[::-1]
    place = np.maximum(np.arange(length), STEADY)
    rank = (share * (STEADY / place) ** 2 * total).astype(int).clip(0, len(ordered) - 1)
    return np.asarray(ordered[rank], dtype=float)


def targets(document: Document, score_V: Floats, threshold_T: Floats) -> npt.NDArray[np.bool_]:
    """[T] whether each token should be kept, given that it is the first occurrence of that token.

    It should if it is inside the text and its salience exceeds the threshold of its place.
    """
    kept = np.zeros(len(document.ids), dtype=bool)
    for place, i in enumerate(document.ids):
        kept[place] = place in document.text and score_V[i] > threshold_T[place]
    return kept


def train_keeping(
    model: Qwen3ForCausalLM,
    texts: Sequence[Document],
    score_V: Floats,
    run: KeepingRun,
    rng: Random,
    report: Log = print,
) -> list[float]:
    """Train the MLP of layer 0 to set `KEPT`, everything else frozen; returns the loss of each step."""
    limits = thresholds(score_V, texts, run.share)
    layer, body = model.model.layers[0], model.model
    for parameter in model.parameters():
        parameter.requires_grad = False
    for parameter in layer.mlp.parameters():
        parameter.requires_grad = True
    closed = torch.arange(copy_circuit.WIDTH) != copy_circuit.KEPT
    optimizer = Optimizer(layer.mlp, matrix_rate=run.matrix_rate, vector_rate=run.vector_rate)
    start, history = time.monotonic(), []
    for step in range(run.steps):
        done = max((time.monotonic() - start) / (60 * run.minutes), step / run.steps)
        if done >= 1:
            break
        chosen = [texts[rng.randrange(len(texts))] for _ in range(run.batch)]
        chosen = [shuffled(rng, d, len(score_V)) if rng.random() < run.random_share else d for d in chosen]
        loss = _loss(body, chosen, score_V, limits)
        check_number(float(loss.detach()), f"step {step}: the loss")
        torch.autograd.backward(loss)
        optimizer.step(schedule(done))
        with torch.no_grad():
            layer.mlp.down_proj.weight[closed] = 0.0
        history.append(float(loss.detach()))
        if step % 20 == 0:
            report(f"step {step} {100 * done:.0f}% loss {np.mean(history[-50:]):.4f}")
    for parameter in model.parameters():
        parameter.requires_grad = True
    return history


def _loss(body: Qwen3Model, chosen: Sequence[Document], score_V: Floats, limits: Floats) -> Tensor:
    width = max(len(d.ids) for d in chosen)
    ids, wanted, counted = (torch.zeros(len(chosen), width) for _ in range(3))
    for row, document in enumerate(chosen):
        size = len(document.ids)
        ids[row, :size] = torch.tensor(document.ids, dtype=torch.float)
        wanted[row, :size] = torch.tensor(targets(document, score_V, limits), dtype=torch.float)
        counted[row, :size] = 1.0
    kept = first_layer(body, ids.long())[..., copy_circuit.KEPT]
    decided = binary_cross_entropy_with_logits(
        STEEP * (kept - copy_circuit.DECISION), wanted, reduction="none"
    )
    # A flag far outside [0, 1] would make the other dimensions of its token negligible in the next layer's norm.
    beyond = (kept - kept.detach().clamp(-0.1, 1.1)).square()
    return ((decided + beyond) * counted).sum() / counted.sum()


def first_layer(body: Qwen3Model, ids_NT: Tensor) -> Tensor:
    """[N, T, H] residual stream after layer 0."""
    x = body.embed_tokens(ids_NT)
    places = torch.arange(ids_NT.shape[1])[None]
    out = body.layers[0](x, position_embeddings=body.rotary_emb(x, places), attention_mask=None)
    return out if isinstance(out, Tensor) else out[0]
