"""Where our server differs from SGLang by choice: the one list; docs/model-server.md shows the same rows."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One row: what is asked, what either side does, and the edge cases that show it."""

    asked: str
    sglang: str
    ours: str
    statuses: Mapping[str, int]
    """Edge case → the status that ours gives."""
    apart: frozenset[str] = field(default=frozenset())
    """Fields of the answer that differ where the status is the same."""


DIFFERENCES = [
    Difference(
        asked="an empty prompt, or an input id outside the vocabulary",
        sglang="the whole server ends",
        ours="400, naming the prompt; the server lives",
        statuses={
            "no ids at all": 400,
            "an empty prompt among good ones": 400,
            "no text at all": 400,
            "an id beyond the vocabulary": 400,
            "a negative id": 400,
        },
    ),
    Difference(
        asked="text as query and ids as items",
        sglang="200, meaningless scores",
        ours="400",
        statuses={"text query, id items": 400},
    ),
    Difference(
        asked='a number or truth in another JSON type: `true`, `"1"` or `4.0` as an id, `"yes"` for softmax',
        sglang="taken as if it were one",
        ours="400: JSON types as they are",
        statuses={
            "a text as temperature": 400,
            "true as temperature": 400,
            "true as a label": 400,
            "a text as a label": 400,
            "4.0 as a label": 400,
            "true as an id": 400,
            "a text as an id": 400,
            "1.0 as an id": 400,
            "yes as softmax": 400,
            "1 as softmax": 400,
            "no as item_first": 400,
        },
    ),
    Difference(
        asked="`score_extraction_token`, or vectors in place of ids (`query_embed_overrides`, `item_embed_overrides`)",
        sglang="served",
        ours="400",
        statuses={"an extraction token": 400, "an embedding override": 400},
    ),
    Difference(
        asked="`n` above 1",
        sglang="served",
        ours="400",
        statuses={"two completions of a prompt": 400},
    ),
    Difference(
        asked="a field of a completion that is [not served](#what-a-completion-request-may-hold) "
        "(`echo`, `stop_token_ids`, …)",
        sglang="served",
        ours="400, naming the field",
        statuses={
            "completion with its prompt": 400,
            "completion with a presence penalty": 400,
            "completion of three tokens at least": 400,
            "completion that ends at an id": 400,
        },
    ),
    Difference(
        asked="any other field of a completion, a misspelt one for instance",
        sglang="used or ignored",
        ours="400, naming the field",
        statuses={"completion with a field that nobody knows": 400},
    ),
    Difference(
        asked="more than our limits below (65 labels, say)",
        sglang="answered",
        ours="400",
        statuses={"sixty-five labels": 400},
    ),
    Difference(
        asked="a prompt that fills more than the context less seven tokens",
        sglang="400",
        ours="answered up to the context's last token",
        statuses={"a prompt of 506 tokens": 200, "a prompt of 512 tokens": 200},
    ),
    Difference(
        asked="a label that the model has and its tokenizer has not",
        sglang="400",
        ours="answered",
        statuses={"a label that only the model knows": 200},
    ),
    Difference(
        asked="`return_pooled_hidden_states` of a decoder",
        sglang="400",
        ours="of each item the state of its prompt's last token after the final norm",
        statuses={"pooled hidden states": 200},
    ),
    Difference(
        asked="another content type than `application/json`",
        sglang="400",
        ours="read as JSON",
        statuses={"no content type": 200, "text as content type": 200},
    ),
    Difference(
        asked="`null` for a field of a completion that has a default",
        sglang="400",
        ours="the default",
        statuses={"completion of null tokens": 200},
    ),
    Difference(
        asked="a prompt and an answer that fill the context together",
        sglang="the answer is two tokens shorter",
        ours="the answer has all its tokens",
        statuses={"a prompt and an answer as long as the context": 200},
        apart=frozenset({"choices", "usage"}),
    ),
    Difference(
        asked="text that spells a special token",
        sglang="the token",
        ours="its letters, so that no posting speaks for the prompt",
        statuses={"text that spells a special token": 200},
        apart=frozenset({"scores", "usage"}),
    ),
    Difference(
        asked="a model's name",
        sglang="echoed, whatever it was",
        ours="another generation (`ranker@7`, `ranker`, `default`) is answered with the true name; another model 404",
        statuses={
            "another model": 404,
            "an adapter of a model": 404,
            "no model's name": 200,
            "default as the model": 200,
        },
        apart=frozenset({"model"}),
    ),
    Difference(
        asked="no temperature on `/v1/completions`",
        sglang="OpenAI's default, 1",
        ours="greedy",
        statuses={"a completion without a temperature": 200},
        apart=frozenset({"choices", "usage"}),
    ),
    Difference(
        asked="`frequency_penalty` on `/v1/completions`",
        sglang="counts a token one step late, unless started with `--disable-overlap-schedule`",
        ours="counts it at once",
        statuses={"completion with a frequency penalty": 200},
        apart=frozenset({"choices"}),
    ),
    Difference(
        asked="no `items` or labels; a completion's temperature or penalty out of range",
        sglang="400 of type `BadRequestError`",
        ours="400 of type `Bad Request`, as whatever is not of the route's form",
        statuses=dict.fromkeys(
            (
                "labels null",
                "labels missing",
                "labels missing, no items",
                "items null",
                "items missing",
                "completion with a negative temperature",
                "completion with a penalty of 3",
            ),
            400,
        ),
        apart=frozenset({"type"}),
    ),
    Difference(
        asked="header `x-deadline-ms`",
        sglang="ignored",
        ours="503 with `Retry-After` at once when the queue is too long for it, or when it passes",
        statuses={"a deadline of no time": 503},
    ),
]

BY_CASE = {name: difference for difference in DIFFERENCES for name in difference.statuses}
