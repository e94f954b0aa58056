"""A small embedder of random layers over the shipped ranker's tokenizer."""

from pathlib import Path

import pytest
import torch

from models.embedding.checkpoint import EmbeddingCard
from models.embedding.embedder import CheckpointEmbedder
from models.embedding.head import PoolHead
from models.engine.checkpoint_engine import EngineConfig
from models.prompts import load_tokenizer
from nearline.cli.options import CHECKPOINTS
from training.embedder.model import EmbedderModel, save
from training.tiny import checkpoint
from training.tiny.checkpoint import TinyShape

CONFIG = EngineConfig(role="embedder", device="cpu")
CARD = EmbeddingCard(name="embedder@7", tokens=64, threshold=0.4)


def random_model() -> EmbedderModel:
    """A model of one layer whose every weight says something, rounded to bf16 as it is saved."""
    rng = torch.Generator().manual_seed(1)
    tokens = load_tokenizer(CHECKPOINTS / "ranker-tiny").get_vocab_size(with_added_tokens=True)
    table = 0.05 * torch.randn(tokens, checkpoint.HIDDEN, generator=rng)
    body = checkpoint.new_model(table.numpy(), TinyShape(layers=1, heads=4, mlp=64), rng)
    head = PoolHead(checkpoint.HIDDEN, 32)
    for parameter in (*body.model.layers.parameters(), *head.parameters()):
        if parameter.ndim == 2:
            parameter.data = 0.2 * torch.randn(parameter.shape, generator=rng)
    for parameter in body.parameters():
        parameter.data = parameter.data.bfloat16().float()
    return EmbedderModel(body, head).eval()


@pytest.fixture(scope="package")
def model() -> EmbedderModel:
    return random_model()


@pytest.fixture(scope="package")
def directory(tmp_path_factory: pytest.TempPathFactory, model: EmbedderModel) -> Path:
    """Its checkpoint directory."""
    out = tmp_path_factory.mktemp("embedding") / "embedder"
    save(model, load_tokenizer(CHECKPOINTS / "ranker-tiny"), out, CARD)
    return out


@pytest.fixture(scope="package")
def embedder(directory: Path) -> CheckpointEmbedder:
    return CheckpointEmbedder(directory, CONFIG)
