import itertools
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from models.engine import generating
from models.engine.base import GenerateJob, ScoreJob, ScoreReport
from models.engine.checkpoint import model_name
from models.engine.checkpoint_engine import CheckpointEngine, EngineConfig, SharingMode
from models.engine.kernel_choice import TORCH, VARIANTS
from models.engine.native.loading import load_kernels
from models.engine.native.processor import cpu_flags, machine
from models.engine.native.variants import runnable
from schemas.errors import ConfigError
from tests.support.tiny import byte_level_tokenizer, write_checkpoint

pytestmark = pytest.mark.timeout(120)

SHAPES: list[dict[str, object]] = [
    {},
    {"num_key_value_heads": 4, "tie_word_embeddings": True},
    {"num_key_value_heads": 1, "hidden_size": 24, "rope_theta": 1e6},
    {"num_attention_heads": 6, "num_key_value_heads": 3, "num_hidden_layers": 3, "head_dim": 8},
    {"num_hidden_layers": 1, "intermediate_size": 40, "hidden_size": 48, "head_dim": 40},
]
CONFIG = EngineConfig(dtype="float32", device="cpu", threads=1)
WAYS = {
    **{variant: replace(CONFIG, kernels=variant) for variant in VARIANTS},
    "torch, shared prefix": replace(CONFIG, kernels=TORCH),
    "torch, multi-item": replace(CONFIG, mode=SharingMode.MULTI_ITEM),
}


@pytest.fixture(scope="module", params=range(len(SHAPES)))
def checkpoint(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("checkpoint")
    return write_checkpoint(path, byte_level_tokenizer(), **SHAPES[request.param])


@pytest.fixture(scope="module")
def one(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_checkpoint(tmp_path_factory.mktemp("checkpoint"), byte_level_tokenizer())


@pytest.fixture
def engine(checkpoint: Path) -> CheckpointEngine:
    return CheckpointEngine(checkpoint, CONFIG)


@pytest.fixture(scope="module", params=WAYS)
def way(request: pytest.FixtureRequest) -> EngineConfig:
    if request.param in VARIANTS and not runnable(machine(), cpu_flags(), request.param):
        pytest.skip(f"this machine's processor cannot run {request.param}")
    return WAYS[request.param]


@pytest.fixture(scope="module")
def reference(checkpoint: Path) -> Any:
    from transformers import Qwen3ForCausalLM

    return Qwen3ForCausalLM.from_pretrained(checkpoint).eval()


def ids(length: int, seed: int) -> list[int]:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(2, 256, (length,), generator=generator).tolist()


def score_job(prefix: int, lengths: list[int], seed: int = 0, **changes: Any) -> ScoreJob:
    items = [ids(length, seed + i) for i, length in enumerate(lengths, 1)]
    fields: dict[str, Any] = {
        "labels": [[7, 3]] * len(lengths),
        "softmax_over_labels": True,
        "temperature": 1.0,
    }
    return ScoreJob(prefix=ids(prefix, seed), items=items, **fields | changes)


def generate_job(prompt: list[int], max_tokens: int = 12, **changes: Any) -> GenerateJob:
    fields: dict[str, Any] = {"temperature": 0.0, "frequency_penalty": 0.0, "stop": ()}
    return GenerateJob(prompt=prompt, max_tokens=max_tokens, **fields | changes)


@st.composite
def score_jobs(draw: st.DrawFn) -> ScoreJob:
    prefix = draw(st.integers(0, 70))
    lengths = draw(st.lists(st.integers(0 if prefix else 1, 70), min_size=1, max_size=12))
    labels = draw(st.lists(st.integers(2, 255), min_size=1, max_size=4, unique=True))
    return score_job(
        prefix,
        lengths,
        seed=draw(st.integers(0, 1000)),
        labels=[labels] * len(lengths),
        softmax_over_labels=draw(st.booleans()),
        temperature=draw(st.sampled_from([0.5, 1.0, 3.0])),
    )


@torch.inference_mode()
def plain_scores(model: Any, job: ScoreJob) -> list[list[float]]:
    rows = []
    for item, labels in zip(job.items, job.labels, strict=True):
        logits = model(torch.tensor([job.prefix + item])).logits[0, -1].float() / job.temperature
        if job.softmax_over_labels:
            rows.append(torch.softmax(logits[labels], -1).tolist())
        else:
            rows.append(torch.softmax(logits, -1)[labels].tolist())
    return rows


def assert_rows_close(rows: list[list[float]], wanted: list[list[float]], atol: float) -> None:
    for row, want in zip(rows, wanted, strict=True):
        torch.testing.assert_close(torch.tensor(row), torch.tensor(want), atol=atol, rtol=0)


JOBS = [
    score_job(5, [3, 17, 9]),
    score_job(40, [1], seed=50),
    score_job(0, [20, 4], seed=90),
    score_job(12, [0, 6], seed=130),
    score_job(9, [8, 8], seed=170, softmax_over_labels=False, labels=[[1, 2, 9]] * 2),
    score_job(9, [8, 30], seed=210, temperature=2.5),
    score_job(9, [8, 30, 2], seed=240, labels=[[7, 3], [4], [7, 3]]),
    score_job(9, [8, 30], seed=260, softmax_over_labels=False, labels=[[7, 3], [4, 5, 6]]),
    score_job(3, [2 + i % 40 for i in range(300)], seed=1000),
    score_job(480, [1 + i % 7 for i in range(60)], seed=2000),
]


def suited(way: EngineConfig) -> list[ScoreJob]:
    """Without a compiler one packed sequence costs the square of its length."""
    return JOBS[:6] if way.mode is SharingMode.MULTI_ITEM else JOBS


def test_jobs_of_one_query_share_its_tokens_and_score_as_alone(one: Path) -> None:
    """One item, another query's two, two of the first query."""
    engine, query = CheckpointEngine(one, replace(CONFIG, kernels=TORCH)), ids(30, 7)
    many = [
        replace(score_job(30, lengths, seed), prefix=prefix, report=ScoreReport())
        for lengths, seed, prefix in (([9], 300, query), ([5, 6], 400, ids(30, 8)), ([4, 12], 320, query))
    ]
    alone = [engine.score_many([replace(job, report=ScoreReport())])[0] for job in many]
    for rows, wanted in zip(engine.score_many(many), alone, strict=True):
        assert_rows_close(rows, wanted, atol=1e-6)
    assert [job.report.computed_tokens for job in many] == [39, 41, 16]


def test_scores_of_requests_computed_together_equal_a_plain_forward_of_each_prompt(
    checkpoint: Path, way: EngineConfig, reference: Any
) -> None:
    together = CheckpointEngine(checkpoint, way).score_many(JOBS)
    for job, rows in zip(JOBS, together, strict=True):
        assert_rows_close(rows, plain_scores(reference, job), atol=1e-5)


def test_any_requests_score_as_a_plain_forward_of_each_prompt(
    checkpoint: Path, way: EngineConfig, reference: Any
) -> None:
    engine = CheckpointEngine(checkpoint, way)

    @settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.lists(score_jobs(), min_size=1, max_size=4))
    def scores_agree(jobs: list[ScoreJob]) -> None:
        for job, rows in zip(jobs, engine.score_many(jobs), strict=True):
            plain = torch.tensor(plain_scores(reference, job))
            torch.testing.assert_close(torch.tensor(rows), plain, atol=1e-5, rtol=0)

    scores_agree()


def test_threads_share_the_work_and_change_nothing(one: Path) -> None:
    alone, shared = (CheckpointEngine(one, replace(CONFIG, threads=threads)) for threads in (1, 3))
    assert shared.score_many(JOBS[:4]) == alone.score_many(JOBS[:4])


@pytest.mark.parametrize("dtype", ["bfloat16", "int8"])
def test_rounded_arithmetic_keeps_the_order_of_items_that_lie_apart(one: Path, dtype: str) -> None:
    if dtype == "int8" and load_kernels() is None:
        pytest.skip("this machine cannot have the kernels")
    exact = CheckpointEngine(one, CONFIG).score_many(JOBS)
    rough = CheckpointEngine(one, replace(CONFIG, dtype=dtype)).score_many(JOBS)
    pairs = 0
    for wanted, got in zip(exact, rough, strict=True):
        p, q = (torch.tensor([row[0] for row in rows]) for rows in (wanted, got))
        apart = (p[:, None] - p[None]) > (0.3 if dtype == "int8" else 0.1)
        assert ((q[:, None] - q[None])[apart] > 0).all()
        pairs += int(apart.sum())
    assert pairs > 1000


def test_a_directory_that_transformers_saved_is_read_as_the_one_it_came_from(
    engine: CheckpointEngine, reference: Any, checkpoint: Path, tmp_path: Path
) -> None:
    reference.save_pretrained(tmp_path)
    (tmp_path / "tokenizer.json").write_bytes((checkpoint / "tokenizer.json").read_bytes())
    assert CheckpointEngine(tmp_path, CONFIG).score_many(JOBS[:2]) == engine.score_many(JOBS[:2])


def test_a_request_scores_alike_alone_and_in_company(one: Path, way: EngineConfig) -> None:
    engine, jobs = CheckpointEngine(one, way), suited(way)
    together = engine.score_many(jobs)
    for job, rows in zip(jobs, together, strict=True):
        assert_rows_close(rows, engine.score_many([job])[0], atol=3e-6)


def test_greedy_continuations_of_a_batch_equal_those_of_transformers_one_by_one(
    engine: CheckpointEngine, reference: Any
) -> None:
    prompts = [ids(length, seed) for seed, length in enumerate([3, 30, 11, 1, 19])]
    got = engine.generate_many([generate_job(prompt, 8 + i) for i, prompt in enumerate(prompts)])
    for i, (prompt, answer) in enumerate(zip(prompts, got, strict=True)):
        out = reference.generate(
            torch.tensor([prompt]),
            attention_mask=torch.ones(1, len(prompt)),
            do_sample=False,
            max_new_tokens=8 + i,
        )
        tokens = [token for token in out[0, len(prompt) :].tolist() if token != 1]
        assert answer.text == engine._decode(tokens)
        assert answer.tokens == len(tokens)
        assert answer.finish_reason == ("length" if len(tokens) == 8 + i else "stop")


def test_a_continuation_may_fill_the_context_to_its_end(one: Path) -> None:
    engine = CheckpointEngine(one, CONFIG)
    jobs = [generate_job(ids(492, 5), 20), generate_job(ids(4, 6), 20)]
    alone = [engine.generate_many([job])[0] for job in jobs]
    assert engine.generate_many(jobs) == alone


def test_rows_that_end_early_leave_the_others_as_they_are_alone(one: Path) -> None:
    engine = CheckpointEngine(one, CONFIG)
    lengths = [2, 40, 5, 30, 3, 25, 4, 9]
    jobs = [
        generate_job(ids(5 + 7 * i, i), length, frequency_penalty=0.5 * (i % 3))
        for i, length in enumerate(lengths)
    ]
    alone = [engine.generate_many([job])[0] for job in jobs]
    assert len({one.tokens for one in alone}) > 4
    assert engine.generate_many(jobs) == alone


def test_a_frequency_penalty_keeps_tokens_from_coming_again(one: Path) -> None:
    engine = CheckpointEngine(one, CONFIG)
    job = generate_job(ids(4, 6), 40, frequency_penalty=100.0)
    ((tokens, _),) = generating.generate_many(
        engine._model, engine._head, [job], frozenset(), lambda _row, _tokens: False
    )
    assert len(set(tokens)) == len(tokens) == 40


def test_a_stop_string_ends_and_is_cut_from_the_continuation(one: Path) -> None:
    engine = CheckpointEngine(one, CONFIG)
    prompt = ids(6, 3)
    (free,) = engine.generate_many([generate_job(prompt, 30)])
    stop = free.text[4:6]
    (cut,) = engine.generate_many([generate_job(prompt, 30, stop=(stop,))])
    assert cut.text == free.text[: free.text.index(stop)]
    assert cut.finish_reason == "stop"
    assert cut.tokens < free.tokens


def test_temperature_zero_repeats_itself_and_a_high_one_does_not(one: Path) -> None:
    engine = CheckpointEngine(one, CONFIG)
    greedy, hot = generate_job(ids(6, 3), 30), generate_job(ids(6, 3), 30, temperature=5.0)
    assert len({engine.generate_many([greedy])[0].text for _ in range(3)}) == 1
    assert len({engine.generate_many([hot])[0].text for _ in range(3)}) == 3


@pytest.mark.parametrize(
    ("directory", "card", "name"),
    [
        ("any", '{"name": "tiny@1"}', "tiny@1"),
        ("Qwen3-0.6B", None, "ranker@Qwen3-0.6B"),
        ("Qwen3-0.6B", '{"made": "2026"}', "ranker@Qwen3-0.6B"),
        ("7", None, "ranker@7"),
        ("ranker@3", None, "ranker@3"),
        ("summarizer@3", None, "ranker@summarizer@3"),
    ],
)
def test_the_name_comes_from_the_card_and_else_from_role_and_directory(
    directory: str, card: str | None, name: str, tmp_path: Path
) -> None:
    path = tmp_path / directory
    path.mkdir()
    if card is not None:
        (path / "nearline.json").write_text(card)
    assert model_name(path, "ranker") == name


def test_bfloat16_keeps_scores_near_those_of_float32(one: Path) -> None:
    exact = CheckpointEngine(one, CONFIG).score_many(JOBS[:1])
    rough = CheckpointEngine(one, EngineConfig(dtype="bfloat16", device="cpu")).score_many(JOBS[:1])
    torch.testing.assert_close(torch.tensor(rough), torch.tensor(exact), atol=0.1, rtol=0)


def test_sharded_weights_load_as_one(one: Path, tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    for name in ("config.json", "tokenizer.json", "nearline.json"):
        (tmp_path / name).write_text((one / name).read_text())
    shards: dict[str, dict[str, torch.Tensor]] = {"a.safetensors": {}, "b.safetensors": {}}
    for shard, (name, tensor) in zip(
        itertools.cycle(shards), load_file(one / "model.safetensors").items(), strict=False
    ):
        shards[shard][name] = tensor
    for shard, tensors in shards.items():
        save_file(tensors, tmp_path / shard)
    index = {name: shard for shard, tensors in shards.items() for name in tensors}
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps({"weight_map": index}))
    assert CheckpointEngine(tmp_path, CONFIG).score_many(JOBS[:1]) == CheckpointEngine(
        one, CONFIG
    ).score_many(JOBS[:1])


def damage(name: str, content: bytes | None) -> Any:
    def apply(path: Path) -> None:
        (path / name).unlink() if content is None else (path / name).write_bytes(content)

    return apply


def change_config(**changes: object) -> Any:
    def apply(path: Path) -> None:
        config = json.loads((path / "config.json").read_text())
        (path / "config.json").write_text(json.dumps({**config, **changes}))

    return apply


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (damage("config.json", None), r"no readable config\.json"),
        (damage("config.json", b"{"), "is not JSON"),
        (damage("config.json", b"[]"), "holds no JSON object"),
        (damage("config.json", b"{}"), "names no model_type"),
        (damage("tokenizer.json", None), r"no tokenizer\.json"),
        (damage("model.safetensors", None), "cannot read the weights"),
        (damage("model.safetensors", b"\x00" * 40), "cannot read the weights"),
        (damage("model.safetensors.index.json", b'{"weight_map": {"x": "gone.safetensors"}}'), "gone"),
        (change_config(model_type="llama"), "llama"),
        (change_config(attention_bias=True), r"proj\.bias must be .* missing"),
        (
            change_config(use_sliding_window=True, sliding_window=8, max_window_layers=0),
            "sliding_window of 8",
        ),
        (change_config(hidden_act="gelu"), "gelu"),
        (change_config(rope_parameters={"rope_type": "yarn"}), "yarn"),
        (change_config(hidden_size=None), "is incomplete"),
        (change_config(num_hidden_layers=3), r"layers\.2.*missing"),
        (change_config(intermediate_size=49), r"must be \(49, 32\) but is \(48, 32\)"),
    ],
)
def test_a_directory_that_is_incomplete_or_foreign_is_refused_by_name(
    one: Path, tmp_path: Path, spoil: Any, message: str
) -> None:
    for source in one.iterdir():
        (tmp_path / source.name).write_bytes(source.read_bytes())
    spoil(tmp_path)
    with pytest.raises(ConfigError, match=message):
        CheckpointEngine(tmp_path, CONFIG)


def test_weights_that_are_not_finite_are_refused(one: Path, tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    for source in one.iterdir():
        (tmp_path / source.name).write_bytes(source.read_bytes())
    weights = load_file(one / "model.safetensors")
    weights["model.norm.weight"][3] = float("nan")
    save_file(weights, tmp_path / "model.safetensors")
    with pytest.raises(ConfigError, match=r"model\.norm\.weight holds values that are not finite"):
        CheckpointEngine(tmp_path, CONFIG)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (EngineConfig(dtype="int3"), "dtype 'int3' is unknown"),
        (EngineConfig(dtype="int8", device="cpu", mode=SharingMode.MULTI_ITEM), "dtype 'int8' needs a CPU"),
        (EngineConfig(dtype="int8", device="cpu", kernels=TORCH), "dtype 'int8' needs a CPU"),
        pytest.param(
            EngineConfig(device="cuda"),
            "torch sees no GPU",
            marks=pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU"),
        ),
    ],
)
def test_a_placement_that_cannot_work_is_refused(one: Path, config: EngineConfig, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        CheckpointEngine(one, config)
