"""What `nearline models import` writes is served as its source was, and what cannot be served is refused."""

import json
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest
import torch

from models.engine.checkpoint import load_checkpoint
from models.importing import Import, import_model
from models.prompts import load_tokenizer
from schemas.errors import ConfigError
from tests.support.tiny import byte_level_tokenizer, write_checkpoint

HIDDEN, MLP, LAYERS = 32, 48, 2
SIZES = {
    "attn_norm": (HIDDEN,),
    "ffn_norm": (HIDDEN,),
    "attn_q": (HIDDEN, HIDDEN),
    "attn_k": (HIDDEN // 2, HIDDEN),
    "attn_v": (HIDDEN // 2, HIDDEN),
    "attn_output": (HIDDEN, HIDDEN),
    "ffn_gate": (MLP, HIDDEN),
    "ffn_up": (MLP, HIDDEN),
    "ffn_down": (HIDDEN, MLP),
}


def write_gguf(
    path: Path,
    architecture: str = "llama",
    *,
    without: str = "",
    extra: str = "",
    splitting: str | None = "gpt-2",
    spoiled: Callable[[Any], Any] = lambda values: values,
) -> Path:
    """A tiny random Llama with a tied head, as llama.cpp's own converter lays it out; `spoiled`: its last norm."""
    writer: Any = gguf.GGUFWriter(path, architecture)
    writer.add_context_length(256)
    writer.add_embedding_length(HIDDEN)
    writer.add_block_count(LAYERS)
    writer.add_feed_forward_length(MLP)
    writer.add_head_count(4)
    writer.add_head_count_kv(2)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_freq_base(10_000.0)
    writer.add_string("general.license", "mit")
    vocabulary = _add_tokenizer(writer, splitting)
    rng = np.random.default_rng(0)
    names = {"token_embd": (vocabulary, HIDDEN), "output_norm": (HIDDEN,)}
    names |= {f"blk.{i}.{name}": size for i in range(LAYERS) for name, size in SIZES.items()}
    for name, size in {**names, **({extra: (8,)} if extra else {})}.items():
        if name != without:
            values = rng.normal(size=size).astype(np.float32)
            writer.add_tensor(f"{name}.weight", spoiled(values) if name == "output_norm" else values)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _add_tokenizer(writer: Any, splitting: str | None) -> int:
    tokenizer = byte_level_tokenizer()
    words = sorted(tokenizer.get_vocab().items(), key=lambda pair: pair[1])
    merges = json.loads(tokenizer.to_str())["model"]["merges"]
    writer.add_tokenizer_model("gpt2")
    if splitting:
        writer.add_tokenizer_pre(splitting)
    writer.add_token_list([word for word, _ in words])
    writer.add_token_types([1] * len(words))
    writer.add_token_merges([" ".join(pair) for pair in merges])
    writer.add_bos_token_id(0)
    writer.add_eos_token_id(1)
    return len(words)


def wanted(source: Path, out: Path, **changes: Any) -> Import:
    return Import(source=source, out=out, day=date(2026, 11, 30), **changes)


def test_a_gguf_file_becomes_a_directory_that_is_served(tmp_path: Path) -> None:
    file = write_gguf(tmp_path / "tiny.gguf")
    import_model(wanted(file, tmp_path / "out", licence="Apache-2.0"))
    checkpoint = load_checkpoint(tmp_path / "out", "ranker")
    stored = {t.name: torch.tensor(t.data) for t in gguf.GGUFReader(file).tensors}
    for ours, theirs in (("mlp.up_proj", "ffn_up"), ("self_attn.v_proj", "attn_v")):
        assert torch.equal(
            checkpoint.weights[f"model.layers.1.{ours}.weight"], stored[f"blk.1.{theirs}.weight"]
        )
    text = "Title: Welder\nCompany: Acme"
    assert load_tokenizer(tmp_path / "out").encode(text).ids == byte_level_tokenizer().encode(text).ids
    readme = (tmp_path / "out" / "README.md").read_text()
    assert all(word in readme for word in ("tiny.gguf", "Apache-2.0", "float32", "2026-11-30"))
    assert str(tmp_path) not in (tmp_path / "out" / "config.json").read_text()


def test_a_person_reads_what_is_done_in_whole_lines_and_no_progress_bar(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    said: list[str] = []
    import_model(wanted(write_gguf(tmp_path / "tiny.gguf"), tmp_path / "out"), said.append)
    assert capfd.readouterr() == ("", "")
    assert said[0] == "tiny.gguf: 20 tensors, read and dequantized one by one"
    assert said[-1].startswith(f"written: {tmp_path / 'out'}, a GGUF file")
    assert "licence: mit" in (tmp_path / "out" / "README.md").read_text()


@pytest.mark.parametrize(("splitting", "first"), [("smollm", "\n\n"), ("gpt-2", "\n")])
def test_texts_are_split_by_the_rule_that_the_file_names(tmp_path: Path, splitting: str, first: str) -> None:
    """Line breaks before a digit are one piece only where digits are taken alone before anything else is split."""
    import_model(wanted(write_gguf(tmp_path / "tiny.gguf", splitting=splitting), tmp_path / "out"))
    pieces = load_tokenizer(tmp_path / "out").pre_tokenizer.pre_tokenize_str("\n\n16 beds")
    assert pieces[0][1] == (0, len(first))


def test_a_directory_keeps_its_weights_and_takes_the_dtype_asked_for(tmp_path: Path) -> None:
    source = write_checkpoint(tmp_path / "in", byte_level_tokenizer())
    import_model(wanted(source, tmp_path / "out", dtype="bfloat16"))
    before, after = (load_checkpoint(path, "ranker").weights for path in (source, tmp_path / "out"))
    assert all(torch.equal(w.bfloat16(), after[name]) for name, w in before.items())


def torn(path: Path) -> Path:
    whole = write_gguf(path).read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    return path


def with_unknown_type(path: Path) -> Path:
    """The type of a tensor stands behind its name, the number of its dimensions and its two dimensions."""
    whole = bytearray(write_gguf(path).read_bytes())
    place = whole.index(name := b"blk.1.ffn_up.weight") + len(name) + 4 + 16
    whole[place : place + 4] = (199).to_bytes(4, "little")
    path.write_bytes(whole)
    return path


def not_a_number(values: Any) -> Any:
    values[3] = np.nan
    return values


REFUSED: dict[str, tuple[Callable[[Path], object], str]] = {
    "another architecture": (lambda path: write_gguf(path, "gemma3"), "architecture 'gemma3'"),
    "truncated": (torn, "no whole GGUF file"),
    "no GGUF": (lambda path: path.write_bytes(b"GGUX" + bytes(64)), "no whole GGUF file"),
    "a tensor missing": (lambda path: write_gguf(path, without="blk.1.ffn_up"), r"layers\.1\.mlp\.up_proj"),
    "scaled positions": (lambda path: write_gguf(path, extra="rope_freqs"), "scales rotary positions"),
    "a type not read": (
        lambda path: write_gguf(path, spoiled=lambda values: values.astype(np.int32)),
        r"output_norm\.weight is of the type I32, which cannot be read",
    ),
    "a type not known": (
        with_unknown_type,
        "has a tensor of a type that the package gguf does not know .*199",
    ),
    "not a number": (
        lambda path: write_gguf(path, spoiled=not_a_number),
        r"model\.norm\.weight holds values that are not finite",
    ),
    "another size": (
        lambda path: write_gguf(path, spoiled=lambda values: values[:-1]),
        r"model\.norm\.weight must be \(32,\) but is \(31,\)",
    ),
    "a splitting rule not known": (
        lambda path: write_gguf(path, splitting="mpt"),
        r"the rule 'mpt' \(tokenizer\.ggml\.pre\)",
    ),
    "no splitting rule": (lambda path: write_gguf(path, splitting=None), "the rule None"),
    "a part not computed": (lambda path: write_gguf(path, extra="blk.0.attn_sinks"), "not computed"),
}


@pytest.mark.parametrize(("write", "said"), REFUSED.values(), ids=REFUSED)
def test_a_file_that_would_be_computed_otherwise_is_refused(
    tmp_path: Path, write: Callable[[Path], object], said: str
) -> None:
    write(tmp_path / "tiny.gguf")
    with pytest.raises(ConfigError, match=said) as caught:
        import_model(wanted(tmp_path / "tiny.gguf", tmp_path / "out"))
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_an_out_that_exists_and_a_directory_without_tokenizer_are_refused(tmp_path: Path) -> None:
    source = write_checkpoint(tmp_path / "in", byte_level_tokenizer())
    with pytest.raises(ConfigError, match=r"--out .* exists"):
        import_model(wanted(source, source))
    (source / "tokenizer.json").unlink()
    with pytest.raises(ConfigError, match="tokenizer"):
        import_model(wanted(source, tmp_path / "out"))
