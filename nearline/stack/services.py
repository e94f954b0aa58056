"""The stack's Python processes: model server, matcher, alert consumer, search service, page."""

import sys

from nearline.stack.component import Component, answers, complaint
from nearline.stack.settings import StackSettings


def model_server(settings: StackSettings) -> Component:
    """The model server: ranker, summarizer and embedder, or stand-ins for them, behind one port."""
    ranker, summarizer = str(settings.ranker_dir), str(settings.summarizer_dir)
    instant = settings.models == "instant-server"
    checkpoints = (
        ("--instant", "--tokenizer", ranker) if instant else ("--ranker", ranker, "--summarizer", summarizer)
    )
    embedder = () if settings.embedder_dir is None else ("--embedder", str(settings.embedder_dir))
    port = str(settings.port("models"))
    return Component(
        name="models",
        # One thread a model: a second one would wait at every step for a core that Flink or Kafka uses.
        command=(
            sys.executable,
            "-m",
            "models.server",
            *checkpoints,
            *embedder,
            "--port",
            port,
            "--threads",
            "1",
        ),
        ready=lambda: answers(f"{settings.models_url}/health"),
    )


def matcher(settings: StackSettings) -> Component:
    """The matcher."""
    arguments = (
        "--bootstrap",
        settings.bootstrap,
        "--store",
        settings.store_url,
        "--window-s",
        str(settings.window_s),
        *_embedder(settings),
        *_similarity(settings),
        *_session(settings),
    )
    return _service(settings, "matcher", "streaming.matcher", arguments)


def consumer(settings: StackSettings) -> Component:
    """The alert consumer."""
    arguments = (*_scoring(settings), "--instance-id", "local-1", *_session(settings))
    return _service(settings, "consumer", "streaming.alert_consumer", arguments)


def search(settings: StackSettings) -> Component:
    """The search service, with the alert consumer's ranker and score cache."""
    arguments = (*_scoring(settings), *_embedder(settings), "--port", str(settings.port("search")))
    return _service(settings, "search", "streaming.search_service", arguments)


def _scoring(settings: StackSettings) -> tuple[str, ...]:
    """What a process that scores postings is given: brokers, store, cache and ranker."""
    tokenizer = () if settings.ranker_dir is None else ("--tokenizer", str(settings.ranker_dir.resolve()))
    return (
        *("--bootstrap", settings.bootstrap, "--store", settings.store_url, "--cache", settings.cache_url),
        *("--ranker", settings.ranker_url, *tokenizer),
    )


def _embedder(settings: StackSettings) -> tuple[str, ...]:
    """What a process is given that embeds queries: the feature job's embedder."""
    return ("--embedder", settings.embedder_url) if settings.embedder_url else ()


def _similarity(settings: StackSettings) -> tuple[str, ...]:
    return () if settings.similarity is None else ("--similarity", str(settings.similarity))


def _session(settings: StackSettings) -> tuple[str, ...]:
    return ("--session-timeout-s", str(settings.session_timeout_s))


def page(settings: StackSettings) -> Component:
    """The page for browsers; it reads what the others write, and nothing waits for it."""
    port = settings.port("page")
    return Component(
        name="page",
        command=(
            sys.executable,
            "-m",
            "nearline",
            "page",
            "--home",
            str(settings.home.resolve()),
            "--port",
            str(port),
        ),
        ready=lambda: answers(f"http://127.0.0.1:{port}/health"),
        stop_timeout_s=5.0,
    )


def _service(settings: StackSettings, name: str, module: str, arguments: tuple[str, ...]) -> Component:
    port = settings.port(f"{name}_metrics")
    probe = f"http://127.0.0.1:{port}"
    common = ("--metrics-port", str(port))
    crash = ("--crash-at", settings.crash_at) if settings.crash_at else ()
    optional = (*settings.registry_arguments, *crash)
    return Component(
        name=name,
        command=(sys.executable, "-m", module, *arguments, *common, *optional),
        ready=lambda: answers(f"{probe}/ready"),
        trouble=lambda: complaint(f"{probe}/ready"),
    )
