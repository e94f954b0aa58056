"""`python -m benchmarks model-server`: the server's own processor time, and its pauses under a saturating load."""

import os
import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

import httpx
import psutil
from prometheus_client.parser import text_string_to_metric_families

from benchmarks.common import plots
from benchmarks.common.report import FOLDER, Result, measured_on, say, write
from benchmarks.common.served import served
from benchmarks.common.settings import ModelServerBenchmark
from benchmarks.model_server.closed_loop import ClosedLoop, RequestShape, drive
from benchmarks.model_server.tables import LoadRun, Round, ServerCounts, findings, tables
from models.engine.base import ScoreJob
from models.engine.checkpoint_engine import CheckpointEngine, EngineConfig
from models.engine.kernel_cache import kernel_cache
from models.server.config import ServeConfig
from models.server.pauses import PROBE_S

NAME = "model-server"
PLOT = "model-server.png"
ROOT = Path(__file__).parents[2]
CHECKPOINT = ROOT / "models" / "checkpoints" / "ranker-tiny"


def measure(settings: ModelServerBenchmark, folder: Path = FOLDER) -> Result:
    """Measure all rounds on one server, which idles while the engine runs alone; write the results into `folder`."""
    where = measured_on()
    config = EngineConfig(
        device="cpu",
        dtype="float32",
        threads=settings.threads,
        role="ranker",
        kernel_cache=kernel_cache(os.environ),
    )
    engine = CheckpointEngine(CHECKPOINT, config)
    asked = RequestShape(
        items=settings.items, tokens=settings.tokens, shared=settings.shared, vocab=engine.info.vocab_size
    )
    with served(CHECKPOINT, settings.threads) as (process, port):
        _loaded(settings, process, port, asked, seconds=3)
        rounds = [_round(settings, engine, process, port, asked, n) for n in range(settings.rounds)]
        counts = _counts(process, port)
    shares = {f"round {n + 1}": one.load.processor_ms for n, one in enumerate(rounds)}
    plots.stacked(folder / PLOT, "Processor time of one request", "ms", shares)
    result = Result(
        name=NAME,
        title="The model server beside its engine",
        settings=asdict(settings),
        tables=tables(rounds, counts),
        findings=findings(rounds, counts),
        plots=[PLOT],
    )
    write(result, folder, where)
    return result


def _round(
    settings: ModelServerBenchmark,
    engine: CheckpointEngine,
    process: psutil.Process,
    port: int,
    asked: RequestShape,
    number: int,
) -> Round:
    per_s, cpu_s = alone(engine, asked, settings.alone_seconds)
    one = _loaded(settings, process, port, asked, settings.load_seconds, number)
    found = Round(alone_per_s=per_s, alone_cpu_s=cpu_s, load=one)
    say(f"round {number + 1}: {one.per_s:.1f} requests/s, {per_s:.1f} by the engine alone")
    return found


def alone(engine: CheckpointEngine, asked: RequestShape, seconds: float) -> tuple[float, float]:
    """Requests a second through `score_many` in the server's batches, and the processor seconds of one request."""
    rng = random.Random(7)
    jobs = [
        _job(asked, rng)
        for _ in range(max(1, ServeConfig().ranker_batching.batch_tokens // _job(asked, rng).tokens))
    ]
    engine.score_many(jobs)
    began, cpu, done = time.monotonic(), time.process_time(), 0
    while time.monotonic() < began + seconds:
        engine.score_many(jobs)
        done += len(jobs)
    return done / (time.monotonic() - began), (time.process_time() - cpu) / done


def _job(asked: RequestShape, rng: random.Random) -> ScoreJob:
    def ids(count: int) -> list[int]:
        return [rng.randrange(asked.vocab) for _ in range(count)]

    return ScoreJob(
        prefix=ids(asked.shared),
        items=[ids(asked.tokens - asked.shared) for _ in range(asked.items)],
        labels=[[10, 11]] * asked.items,
        softmax_over_labels=True,
        temperature=1.0,
    )


def _loaded(
    settings: ModelServerBenchmark,
    process: psutil.Process,
    port: int,
    asked: RequestShape,
    seconds: float,
    number: int = -1,
) -> LoadRun:
    load = ClosedLoop(
        port=port,
        seconds=seconds,
        processes=settings.clients,
        connections=settings.connections,
        asked=asked,
        seed=settings.seed + number,
    )
    before = _counts(process, port)
    with _idle_lag() as lag_s:
        latencies_ms, took_s = drive(load)
    after = _counts(process, port)
    return LoadRun(
        seconds=took_s, latencies_ms=latencies_ms, before=before, after=after, idle_lag_s=max(lag_s)
    )


@contextmanager
def _idle_lag() -> Iterator[list[float]]:
    """Measure how late this idle process wakes up: delays that the machine causes to every process."""
    late_s, over = [0.0], threading.Event()

    def look() -> None:
        while not over.is_set():
            began = time.monotonic()
            time.sleep(PROBE_S)
            late_s.append(time.monotonic() - began - PROBE_S)

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield late_s
    finally:
        over.set()
        thread.join()


def _counts(process: psutil.Process, port: int) -> ServerCounts:
    """Read the counters of the server and of the machine."""
    page = httpx.get(f"http://127.0.0.1:{port}/metrics").text
    seen = {
        (sample.name.removeprefix("nearline_model_"), sample.labels.get("le", "")): sample.value
        for family in text_string_to_metric_families(page)
        for sample in family.samples
    }
    cpu, threads = process.cpu_times(), {one.id: one for one in process.threads()}
    loop = threads[process.pid]
    return ServerCounts(
        requests=seen.get(("request_seconds_count", ""), 0.0),
        engine_s=seen["engine_seconds_sum", ""],
        queue_s=seen["queue_seconds_sum", ""],
        batches=seen["engine_seconds_count", ""],
        cpu_s=cpu.user + cpu.system,
        loop_cpu_s=loop.user_time + loop.system_time,
        steal_s=psutil.cpu_times().steal,
        rss_mib=process.memory_info().rss / 2**20,
        longest_lag_s=seen["loop_lag_longest_seconds", ""],
        longest_collection_s=seen["gc_pause_longest_seconds", ""],
        long_lags=seen["loop_lag_seconds_count", ""] - seen["loop_lag_seconds_bucket", "0.05"],
        long_collections=seen["gc_pause_seconds_count", ""] - seen["gc_pause_seconds_bucket", "0.05"],
    )
