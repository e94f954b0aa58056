"""What `nearline explain` reads: the addresses of an alert consumer, and the parts that are opened from them.

The parts are read-only: scores that the ranker computes for an explanation are not written to the score cache.
"""

from collections.abc import Callable, Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Annotated, Self
from urllib.parse import urlsplit

from models.client.embedder import open_embedder
from models.client.remote import open_ranker
from models.prompts import Prompter
from nearline.cli import options
from nearline.stack.settings import StackSettings
from pipeline.explain import Explainer, Explanation
from pipeline.percolation.meaning import QueryVector, query_vector
from pipeline.percolation.query_vectors import QueryVectorSettings
from pipeline.scoring.cached import CachedScorer
from schemas.errors import BrokersUnavailable, ConfigError, ModelRejected, ModelUnavailable
from schemas.records import SavedSearch
from schemas.settings import Option
from storage.base import KeyValue
from storage.couchbase.url import with_login, without_login
from storage.cuts import CutNotes
from storage.dry_run import DryRunStore
from storage.features import FeatureStore
from storage.ledger import AlertLedger
from storage.lmdb.store import LmdbSettings
from storage.opening import open_store
from storage.scores import ScoreCache
from streaming.alerting.sent_alerts import KafkaSentAlerts
from streaming.kafka.framing import RegistrySettings, open_codec
from streaming.kafka.settings import KafkaSettings
from streaming.searches.current import current_search

#: Time for the ranker's answer: whoever explains a pair waits at a terminal.
SCORE_DEADLINE_S = 15.0


class EmbedderUnavailable(ModelUnavailable):
    """The embedder that makes the vectors of searches does not answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExplainedSystem:
    """The options that name the system to be explained; None for an option that was not given."""

    bootstrap: Annotated[
        str | None, Option("A deployed system's Kafka brokers, HOST:PORT,...; default: the local stack's.")
    ] = None
    store: Annotated[
        str | None, Option("A deployed system's feature store, as the alert consumer was given it.")
    ] = None
    cache: Annotated[
        str | None, Option("Score cache; default: the local stack's, none for a deployed system.")
    ] = None
    schema_registry: Annotated[
        str | None,
        Option("Schema registry's URL, if the topics have Confluent framing; default: the local stack's."),
    ] = None
    ranker: Annotated[
        str | None, Option("Model server's URL, or `instant:`; default: the local stack's.")
    ] = None
    tokenizer: Annotated[
        Path | None, Option("Checkpoint that the model server serves; default: the local stack's.")
    ] = None
    calibration: Annotated[
        Path | None, Option("Checkpoint whose calibration the alert consumer applies, if it has this option.")
    ] = None
    scored_as: Annotated[
        str | None,
        Option("The alert consumer's --scored-as, if it has this option: its cached scores are found by it."),
    ] = None
    embedder: Annotated[
        str | None,
        Option("The matcher's --embedder, if it has this option; default: the local stack's."),
    ] = None
    similarity: Annotated[
        float | None, Option("The matcher's --similarity, if it has this option; default: the local stack's.")
    ] = None

    @property
    def is_deployed(self) -> bool:
        """Whether the options name a deployed system instead of a local stack."""
        return self.bootstrap is not None or self.store is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Addresses:
    """Where an alert consumer finds its brokers, schema registry, stores and ranker."""

    kafka: KafkaSettings
    registry: RegistrySettings
    store_url: str
    cache_url: str
    ranker_url: str
    tokenizer: Path | None
    calibration: Path | None = None
    scored_as: str | None = None
    embedder_url: str = ""
    similarity: float | None = None

    def __post_init__(self) -> None:
        if urlsplit(self.store_url).scheme == "memory":
            raise ConfigError(
                "--store memory: is a new and empty store; give the URL that the alert consumer has"
            )
        _require_lmdb("--store", self.store_url)
        _require_lmdb("--cache", self.cache_url)


def addresses(named: ExplainedSystem, home: Path | None, environ: Mapping[str, str]) -> Addresses:
    """The addresses of the system that the options name, else of the stack in `home`.

    Raises ConfigError for options that do not go together.
    """
    if not named.is_deployed:
        return _of_stack(named, options.running_stack(home), environ)
    if home is not None:
        raise ConfigError(
            "--home is a local stack, --bootstrap and --store a deployed system: give one of the two"
        )
    return _of_deployment(named, environ)


class ExplainParts:
    """Searches, store, ledger, cache and ranker of one system, open for reading; a context manager."""

    def __init__(self, at: Addresses) -> None:
        """Raises ConfigError for an address that cannot work, StoreUnavailable for a store that does not answer."""
        self._at = at
        with ExitStack() as opened:
            store = opened.enter_context(closing(open_store(at.store_url)))
            cache = opened.enter_context(closing(open_store(at.cache_url)))
            #: records and texts of the postings
            self.features = FeatureStore(store)
            self._explainer = _explainer(at, store, DryRunStore(cache))
            self._opened = opened.pop_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close store and cache."""
        self._opened.close()

    def explain(self, search_id: str, posting_id: str) -> Explanation:
        """Why the pair did or did not alert.

        Raises ConfigError for a search or a posting that does not exist, BrokersUnavailable, StoreUnavailable or
        ModelUnavailable while a part does not answer.
        """
        search = self._search(search_id)
        try:
            made = self._explainer.explain(search, posting_id)
        except EmbedderUnavailable:
            raise
        except ModelUnavailable as error:
            raise ModelUnavailable(
                f"the ranker at {self._at.ranker_url} does not score: {error}; start it or give its URL by --ranker"
            ) from error
        if made.record is None:
            raise ConfigError(
                f"no posting {posting_id!r} in {_shown(self._at.store_url)}: the id is wrong, or its update was "
                "not processed yet (see the feature job's lag)"
            )
        return made

    def _search(self, search_id: str) -> SavedSearch:
        with closing(open_codec(self._at.registry)) as codec:
            try:
                return current_search(self._at.kafka, codec, search_id)
            except BrokersUnavailable as error:
                raise BrokersUnavailable(
                    f"{error}; start the brokers (`nearline up` starts the local stack's) or give their address by --bootstrap"
                ) from error


def _explainer(at: Addresses, store: KeyValue, cache: KeyValue) -> Explainer:
    prompter = None if at.tokenizer is None else Prompter.from_dir(at.tokenizer)
    ranker = open_ranker(at.ranker_url, at.tokenizer, calibration=at.calibration, scored_as=at.scored_as)
    scorer = CachedScorer(ranker, ScoreCache(cache))
    return Explainer(
        FeatureStore(store),
        scorer,
        AlertLedger(store, sent=KafkaSentAlerts(at.kafka)),
        prompter=prompter,
        cuts=CutNotes(store),
        query_vector=_query_vectors(at),
        deadline_s=SCORE_DEADLINE_S,
    )


def _query_vectors(at: Addresses) -> Callable[[SavedSearch], QueryVector | None] | None:
    """What makes the vector of a search as the matcher does; None without an embedder."""
    if not at.embedder_url:
        return None
    embedder = open_embedder(at.embedder_url)
    least = QueryVectorSettings().similarity if at.similarity is None else at.similarity

    def made(search: SavedSearch) -> QueryVector | None:
        try:
            (vector,) = embedder.embed_queries([search.query], SCORE_DEADLINE_S)
        except ModelRejected:
            return None
        except ModelUnavailable as error:
            raise EmbedderUnavailable(
                f"the embedder at {at.embedder_url} does not answer: {error}; start it, give its URL by --embedder, or "
                '--embedder "" to see the match by words'
            ) from error
        return query_vector(search, embedder.model, vector, least)

    return made


def _of_stack(named: ExplainedSystem, stack: StackSettings, environ: Mapping[str, str]) -> Addresses:
    registry = stack.schema_registry if named.schema_registry is None else named.schema_registry
    return Addresses(
        kafka=KafkaSettings(bootstrap=stack.bootstrap),
        registry=RegistrySettings.from_env(environ, url=registry),
        store_url=with_login(stack.store_url, environ),
        cache_url=with_login(named.cache or stack.cache_url, environ),
        ranker_url=named.ranker or stack.ranker_url,
        tokenizer=named.tokenizer or stack.ranker_dir,
        calibration=named.calibration,
        scored_as=named.scored_as,
        embedder_url=stack.embedder_url if named.embedder is None else named.embedder,
        similarity=stack.similarity if named.similarity is None else named.similarity,
    )


def _of_deployment(named: ExplainedSystem, environ: Mapping[str, str]) -> Addresses:
    if named.store is None or named.ranker is None:
        missing = " and ".join(
            name for name, value in (("--store", named.store), ("--ranker", named.ranker)) if value is None
        )
        raise ConfigError(
            f"a deployed system needs {missing} too: give what its alert consumer was started with"
        )
    return Addresses(
        kafka=KafkaSettings.from_env(environ, bootstrap=named.bootstrap or ""),
        registry=RegistrySettings.from_env(environ, url=named.schema_registry or ""),
        store_url=with_login(named.store, environ),
        cache_url=with_login(named.cache or "memory:", environ),
        ranker_url=named.ranker,
        tokenizer=named.tokenizer,
        calibration=named.calibration,
        scored_as=named.scored_as,
        embedder_url=named.embedder or "",
        similarity=named.similarity,
    )


def _shown(url: str) -> str:
    return without_login(url) if "@" in url else url


def _require_lmdb(option: str, url: str) -> None:
    """ConfigError when `url` names an LMDB directory without a store: opening it would make a new, empty one."""
    if urlsplit(url).scheme != "lmdb":
        return
    path = LmdbSettings.from_url(url).path
    if not (path / "data.mdb").is_file():
        raise ConfigError(
            f"{option} {url}: no LMDB store is in {path}; give the URL that the alert consumer has, on its machine"
        )
