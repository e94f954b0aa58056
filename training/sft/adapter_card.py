"""The model card of an adapter: its base, its data, its figures."""

from __future__ import annotations

from dataclasses import dataclass

from models.prompts import BUDGET_TOKENS
from training.sft.config import AdapterConfig, SftConfig
from training.sft.writers import Saved


@dataclass(frozen=True, slots=True, kw_only=True)
class AdapterCard:
    """What a run knows of its adapter before the first step. `examples`: judged pairs of each stage."""

    base: str
    base_sha256: str
    judged_sha256: str
    examples: tuple[int, ...]
    adapter: AdapterConfig
    config: SftConfig


def text(card: AdapterCard, saved: Saved) -> str:
    """The card as Markdown."""
    config, adapter = card.config, card.adapter
    lines = [
        f"# {saved.name}",
        "",
        "A low-rank adapter: it is served merged into its base, which is not here.",
        "",
        f"- base: {card.base}, weights of SHA-256 `{card.base_sha256}`",
        f"- adapter: rank {adapter.rank}, alpha {adapter.alpha:g}, layers: {adapter.targets}",
        f"- data: judged pairs, {_stages(card)}, of a table of SHA-256 `{card.judged_sha256}`",
        f"- prompts: at most {config.budget_tokens or BUDGET_TOKENS} tokens",
        f"- steps: {saved.step}",
    ]
    if saved.dev_ndcg is not None:
        lines.append(f"- dev NDCG@10: {saved.dev_ndcg:.4f}; the base alone {saved.before:.4f}")
    return "\n".join(lines) + "\n"


def _stages(card: AdapterCard) -> str:
    named = zip(card.examples, card.config.stages, strict=True)
    return ", then ".join(f"{count:,} for {stage.objective}" for count, stage in named)
