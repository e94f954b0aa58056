"""SmolLM2-135M-Instruct, imported from GGUF, scores as transformers does: a model that nobody trained here."""

from pathlib import Path

import pytest
import torch

from models.engine.base import ScoreJob
from models.engine.checkpoint_engine import CheckpointEngine, EngineConfig
from models.prompts import Prompter, load_tokenizer
from models.smollm2 import SmolLM2Unavailable, imported

pytestmark = [pytest.mark.smollm2, pytest.mark.timeout(600)]
TEXTS = ("Title: Welder. Steel work by day.", "Title: Nurse. Ward nights in Leeds, with colleagues.")


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    try:
        return imported(tmp_path_factory.mktemp("smollm2"))
    except SmolLM2Unavailable as reason:
        pytest.skip(str(reason))


def test_the_imported_tokenizer_has_the_ids_of_llama_cpp(path: Path) -> None:
    """llama-cpp-python 0.3.36 gave these of the same file."""
    ids = load_tokenizer(path).encode("Duties:\n\n16 beds, 2024", add_special_tokens=False).ids
    assert ids == [52, 33320, 42, 1116, 33, 38, 13135, 28, 216, 34, 32, 34, 36]


@torch.inference_mode()
def test_scores_of_the_imported_file_are_those_of_transformers(path: Path) -> None:
    from transformers import AutoModelForCausalLM

    engine = CheckpointEngine(path, EngineConfig(dtype="float32", device="cpu"))
    plain = AutoModelForCausalLM.from_pretrained(path, dtype=torch.float32)
    labels, items = list(Prompter.from_dir(path).label_ids), engine.encode_many(TEXTS)
    job = ScoreJob(
        prefix=items[0], items=items, labels=[labels] * 2, softmax_over_labels=False, temperature=1.0
    )
    for row, item in zip(engine.score_many([job])[0], items, strict=True):
        logits = plain(torch.tensor([items[0] + item])).logits[0, -1]
        torch.testing.assert_close(torch.tensor(row), logits.softmax(-1)[labels], atol=1e-5, rtol=0)
