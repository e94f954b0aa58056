"""Plain transformers: all prompts in one padded batch, or one after the other.

Settings that any user of transformers can choose: no gradients, fused attention, only the last token of each prompt
multiplied with the head, and padding on the right, to which no token attends, so that no mask is needed.
"""

from __future__ import annotations

import torch
import transformers
from torch import Tensor

from benchmarks.engine.workers.protocol import Handler, Settings, requests_of, run


def load(settings: Settings) -> tuple[str, Handler]:
    """The checkpoint at `path` in `dtype` on `device`."""
    torch.set_num_threads(settings["threads"])
    transformers.logging.set_verbosity_error()
    model = transformers.AutoModelForCausalLM.from_pretrained(
        settings["path"], dtype=getattr(torch, settings["dtype"]), attn_implementation="sdpa"
    )
    model.to(settings["device"]).eval()
    labels = settings["labels"]

    @torch.inference_mode()
    def score(question: Settings) -> list[list[float]]:
        asked = requests_of(question)
        prompts = [prefix + item for prefix, items in asked for item in items]
        size = 1 if question["mode"] == "single" else len(prompts)
        batches = [prompts[i : i + size] for i in range(0, len(prompts), size)]
        flat = torch.cat([_scores(model, batch, labels) for batch in batches]).tolist()
        answers = iter(flat)
        return [[next(answers) for _ in items] for _, items in asked]

    return f"transformers {transformers.__version__}, torch {torch.__version__}", score


def _scores(model: transformers.PreTrainedModel, prompts: list[list[int]], labels: list[int]) -> Tensor:
    longest = max(map(len, prompts))
    ids = torch.tensor([prompt + [0] * (longest - len(prompt)) for prompt in prompts], device=model.device)
    last = torch.tensor([len(prompt) - 1 for prompt in prompts], device=model.device)
    hidden = model.model(input_ids=ids, use_cache=False).last_hidden_state
    logits = model.lm_head(hidden[torch.arange(len(prompts), device=model.device), last]).float()
    return torch.softmax(logits[:, labels], dim=-1)[:, 0].cpu()


if __name__ == "__main__":
    run(load)
