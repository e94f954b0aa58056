"""Prompts of ranker (equation 1) and summarizer: no other module words a query, an item or a posting for a model.

A ranker prompt is `prefix(query) + item + SUFFIX`. The prefix ends with the query and is the same for every item, so
an engine computes it once. Prefix and items are tokenized separately and their ids are joined: the ids of the prefix
do not depend on the item, nor the item's on the query. (Tokenizing the joined text gives other tokens where the parts
meet, hence other scores.)

This module imports little, because the feature job hashes `summarizer_input` and `item_text` without a tokenizer.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from tokenizers import Tokenizer

from models.adapter_base import base_of
from models.card import is_extractive, prompt_tokens
from schemas.clean import clean
from schemas.errors import ConfigError

PROMPT_VERSION = 1
"""Part of every hash over a prompt: increase it with every change of wording in this module.

A change of `clean` needs no new number: the hash is over the text that it returns, so only texts that it changes are
scored again."""

SYSTEM = "Does the posting match the search? Answer yes or no.\nSearch:"
SUFFIX = "\nAnswer:"
LABELS = (" yes", " no")

SUMMARIZER_PROMPT = "Summarize the posting for search.\n"
SUMMARIZER_SUFFIX = "\nSummary:"
_TEXT = "\nText: "

BUDGET_TOKENS = 2048
CONTEXT_RESERVE_TOKENS = 7
"""Tokens of the context that SGLang keeps free: with 512 it accepts prompts of 505."""
PREFIX_TOKENS = 128
"""Most tokens of the shared prefix; of a budget below 512 at most a quarter."""
SUMMARY_MAX_TOKENS = 128

MAX_CHARS = 12_000
MAX_QUERY_CHARS = 500
MAX_FIELD_CHARS = 200
EMBEDDER_CHARS = 2_000
"""Most characters that an embedder reads: those of a title, metadata and a summary of SUMMARY_MAX_TOKENS, about 500
tokens, which is what small embedders take."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """What the ranker reads of a posting; `text` is its summary, or the description where there is none."""

    title: str
    company: str | None
    location: str | None
    employment_type: str | None
    remote: str | None
    text: str


def query_text(query: str) -> str:
    """Return the shared prefix as text: instruction and query, the same for all items."""
    return f"{SYSTEM}{_query_words(query)}\n"


def item_text(item: Item) -> str:
    """Return the item's part of the prompt, uncut and without SUFFIX; `prompt_hash` is the hash of it."""
    return "".join(_item_parts(item))


def summarizer_input(title: str, description: str) -> str:
    """Return what the summarizer reads of a posting, cut to MAX_CHARS; `summary_hash` is the hash of it."""
    # a record holds the whole cleaned title: made from that, the input has to be the same
    return f"Title: {clean(clean(title), MAX_FIELD_CHARS)}{_TEXT}{clean(description, MAX_CHARS)}"


def embedder_input(item: Item) -> str:
    """Return what an embedder reads of a posting: title, metadata and summary as the ranker reads them, cut."""
    return item_text(item)[:EMBEDDER_CHARS]


def is_textless(summarizer_input: str) -> bool:
    """Whether nothing is left of a description to summarize: it was blank, or markup around nothing that is shown."""
    return summarizer_input.endswith(_TEXT)


def _query_words(query: str) -> str:
    words = clean(query, MAX_QUERY_CHARS)
    return f" {words}" if words else ""


@lru_cache(maxsize=8_192)
def _field(value: str) -> str:
    """A cleaned field; companies, places, types and forms of work are those of many postings."""
    return clean(value, MAX_FIELD_CHARS)


def _item_parts(item: Item) -> tuple[str, str]:
    fields = (
        ("Title", item.title),
        ("Company", item.company),
        ("Location", item.location),
        ("Type", item.employment_type),
        ("Remote", item.remote),
    )
    known = [(name, _field(value)) for name, value in fields if value]
    metadata = "\n".join(f"{name}: {value}" for name, value in known if value)
    text = clean(item.text, MAX_CHARS)
    return metadata, f"{_TEXT}{text}" if text else ""


def load_tokenizer(checkpoint: Path) -> Tokenizer:
    """Load a checkpoint directory's tokenizer; markers such as `<|im_end|>` in a text stay plain text.

    An adapter's is its base's. Raises ConfigError if the directory has no readable tokenizer.json.
    """
    path = base_of(checkpoint) / "tokenizer.json"
    if not path.is_file():
        raise ConfigError(
            f"no tokenizer.json in {path.parent}: give a whole Hugging Face checkpoint directory"
        )
    try:
        tokenizer = Tokenizer.from_file(str(path))
    except Exception as error:  # tokenizers raises bare Exception on any damaged file
        raise ConfigError(f"{path} is not a tokenizer: {error}") from error
    tokenizer.no_truncation()
    tokenizer.no_padding()
    tokenizer.encode_special_tokens = True
    return tokenizer


class Prompter:
    """Makes token ids of prompts that never exceed `budget` tokens, whatever the texts are."""

    def __init__(
        self, tokenizer: Tokenizer, budget: int = BUDGET_TOKENS, *, summarizer_reads_text: bool = False
    ) -> None:
        """Raise ValueError if the budget cannot hold the fixed words, or if a label is not exactly one token."""
        self._tokenizer = tokenizer
        self.summarizer_reads_text = summarizer_reads_text
        """Whether the summarizer is sent its prompt as text, because it repeats parts of it letter by letter."""
        self.budget = budget
        self.prefix_budget = min(PREFIX_TOKENS, budget // 4)
        self.item_budget = budget - self.prefix_budget
        self._system, self._newline, self._suffix = self._encode([SYSTEM, "\n", SUFFIX])
        self._ask, self._reply = self._encode([SUMMARIZER_PROMPT, SUMMARIZER_SUFFIX])
        self.summary_tokens = min(SUMMARY_MAX_TOKENS, budget // 4)
        self.summarizer_budget = budget - self.summary_tokens
        fixed = len(self._system) + len(self._newline)
        if fixed >= self.prefix_budget or 2 * len(self._suffix) >= self.item_budget:
            raise ValueError(f"a budget of {budget} tokens cannot hold the prompt's fixed words")
        self.label_ids = self._label_ids()

    @classmethod
    def from_dir(cls, checkpoint: Path, budget: int = BUDGET_TOKENS) -> Prompter:
        """Make a checkpoint directory's prompter, whose budget is at most what SGLang takes of that context.

        It is smaller where the directory's card says that the model was taught on shorter prompts.
        ConfigError for a directory that is not whole, or whose tokenizer has no single token for a label.
        """
        path, taught = base_of(checkpoint) / "config.json", prompt_tokens(checkpoint)
        tokenizer = load_tokenizer(checkpoint)
        try:
            config = json.loads(path.read_text())
            context, vocab_size = int(config["max_position_embeddings"]), int(config["vocab_size"])
        except (OSError, ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
            raise ConfigError(
                f"{path} does not say max_position_embeddings and vocab_size: give a whole checkpoint"
            ) from error
        size = tokenizer.get_vocab_size(with_added_tokens=True)
        if size > vocab_size:
            raise ConfigError(f"{checkpoint}: the tokenizer has {size} ids, the model only {vocab_size}")
        try:
            fitting = min(budget, context - CONTEXT_RESERVE_TOKENS, taught or budget)
            return cls(tokenizer, fitting, summarizer_reads_text=is_extractive(checkpoint))
        except ValueError as error:
            raise ConfigError(f"{checkpoint}: {error}; is the tokenizer that of another model?") from error

    @property
    def vocab_size(self) -> int:
        """Number of ids that the tokenizer can produce."""
        return int(self._tokenizer.get_vocab_size(with_added_tokens=True))

    @property
    def summarizer_fixed_tokens(self) -> int:
        """Number of tokens of a summarizer prompt that are not the posting's."""
        return len(self._ask) + len(self._reply)

    def prefix_ids(self, query: str) -> list[int]:
        """Return the ids of everything up to and including the query, at most `prefix_budget`."""
        (words,) = self._encode([_query_words(query)])
        room = self.prefix_budget - len(self._system) - len(self._newline)
        return self._system + words[:room] + self._newline

    def item_ids_many(self, items: Sequence[Item]) -> list[list[int]]:
        """Return the ids of each item with the suffix, at most `item_budget` each, from one tokenizer call."""
        parts = self._encode([part for item in items for part in _item_parts(item)])
        return [self._join(parts[i], parts[i + 1]) for i in range(0, len(parts), 2)]

    def summarizer_ids_many(self, texts: Sequence[str]) -> list[list[int]]:
        """Return the ids of one prompt for each `summarizer_input`, at most `summarizer_budget` each."""
        room = self.summarizer_budget - self.summarizer_fixed_tokens
        return [self._ask + ids[:room] + self._reply for ids in self._encode(texts)]

    def summarizer_prompt(self, text: str) -> str:
        """Return the whole prompt for a `summarizer_input` as text, uncut: for a summarizer that reads text."""
        return f"{SUMMARIZER_PROMPT}{text}{SUMMARIZER_SUFFIX}"

    def summary_budget(self, prompt: Sequence[int]) -> int:
        """Return how long a summary of this prompt may be: a quarter of the text, at most `SUMMARY_MAX_TOKENS`."""
        return max(1, min(self.summary_tokens, (len(prompt) - self.summarizer_fixed_tokens) // 4))

    def count_many(self, texts: Sequence[str]) -> list[int]:
        """Return the length of each text in tokens."""
        return [len(ids) for ids in self._encode(texts)]

    def _join(self, metadata: list[int], text: list[int]) -> list[int]:
        head = metadata[: self.item_budget // 2]
        room = self.item_budget - len(head) - len(self._suffix)
        return head + text[:room] + self._suffix

    def _encode(self, texts: Sequence[str]) -> list[list[int]]:
        encodings = self._tokenizer.encode_batch_fast(list(texts), add_special_tokens=False)
        return [encoding.ids for encoding in encodings]

    def _label_ids(self) -> tuple[int, int]:
        yes, no = self._encode(LABELS)
        if len(yes) != 1 or len(no) != 1 or yes == no:
            raise ValueError(
                f"the labels {LABELS} must be one token each, and two different ones: got {yes} and {no}"
            )
        return yes[0], no[0]
