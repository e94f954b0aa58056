"""Random checkpoints and tokenizers small enough to build in a test."""

import json
from pathlib import Path

from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

from models.prompts import SUFFIX, SUMMARIZER_PROMPT, SUMMARIZER_SUFFIX, SYSTEM

CORPUS = [
    SYSTEM + " welder berlin\nTitle: Welder\nCompany: Acme\nText: steel work by day" + SUFFIX + " yes no",
    SUMMARIZER_PROMPT + "Title: Nurse\nText: ward nights, remote" + SUMMARIZER_SUFFIX + " nurse, nights",
] * 3


def byte_level_tokenizer() -> Tokenizer:
    """Byte-level BPE, as Qwen3's: every text of any script has ids."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=400,
        special_tokens=["<|endoftext|>", "<|im_end|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(CORPUS, trainer)
    return tokenizer


def word_piece_tokenizer() -> Tokenizer:
    """WordPiece, as the shipped checkpoints': unknown words become one [UNK]."""
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))  # noqa: S106
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    trainer = trainers.WordPieceTrainer(
        vocab_size=300, special_tokens=["[UNK]", "[EOS]"], show_progress=False
    )
    tokenizer.train_from_iterator(CORPUS, trainer)
    return tokenizer


def write_tokenizer(path: Path, tokenizer: Tokenizer, context: int = 2048) -> Path:
    """The part of a checkpoint directory that a client needs."""
    path.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(path / "tokenizer.json"))
    config = {"max_position_embeddings": context, "vocab_size": tokenizer.get_vocab_size()}
    (path / "config.json").write_text(json.dumps(config))
    return path


def write_checkpoint(path: Path, tokenizer: Tokenizer, *, name: str = "tiny@1", **changes: object) -> Path:
    """A random Qwen3 checkpoint as transformers would save it."""
    import torch
    from safetensors.torch import save_file

    from models.engine.checkpoint import expected_weights, read_shape

    config: dict[str, object] = {
        "model_type": "qwen3",
        "architectures": ["Qwen3ForCausalLM"],
        "vocab_size": tokenizer.get_vocab_size(),
        "hidden_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "head_dim": 16,
        "intermediate_size": 48,
        "max_position_embeddings": 512,
        "rms_norm_eps": 1e-6,
        "rope_theta": 10_000.0,
        "tie_word_embeddings": False,
        "eos_token_id": 1,
        **changes,
    }
    path.mkdir(parents=True, exist_ok=True)
    (path / "config.json").write_text(json.dumps(config))
    generator = torch.Generator().manual_seed(0)
    weights = {
        key: (0.3 if len(size) > 1 else 1.0) * torch.randn(size, generator=generator)
        for key, size in expected_weights(read_shape(path)).items()
    }
    save_file(weights, path / "model.safetensors", metadata={"format": "pt"})
    tokenizer.save(str(path / "tokenizer.json"))
    (path / "nearline.json").write_text(json.dumps({"name": name}))
    return path
