import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.parametrize(
    ("module", "heavy"),
    [
        ("models.prompts, models.ranker, models.summarizer", {"torch", "transformers", "fastapi", "httpx"}),
        ("models.client.remote", {"torch", "transformers", "fastapi"}),
        ("models.server", {"torch", "transformers", "fastapi", "uvicorn"}),
        ("models.server.run", {"torch", "transformers"}),
        ("models.engine.checkpoint_engine", {"transformers"}),
    ],
)
@pytest.mark.timeout(60)
def test_what_does_not_compute_loads_nothing_that_computes(module: str, heavy: set[str]) -> None:
    program = f"import sys, {module}; print(sorted({heavy!r} & set(sys.modules)))"
    root = Path(__file__).parents[2]
    seen = subprocess.run([sys.executable, "-c", program], cwd=root, capture_output=True, check=True)
    assert seen.stdout == b"[]\n"
