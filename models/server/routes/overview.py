"""The GET routes: which models are served, whether they work, and the metrics."""

from __future__ import annotations

import time
from typing import Any

from fastapi import Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from models.engine.base import ModelInfo
from models.server.answers import error_response, json_response
from models.server.metrics import ServerMetrics
from models.server.service import ServedModels, base_name


class OverviewRoutes:
    """Answers what is served here since the server's start."""

    def __init__(self, served: ServedModels, metrics: ServerMetrics) -> None:
        self._hosted, self._metrics = served.by_task(), metrics
        self._created_s = int(time.time())

    async def models(self) -> Response:
        """GET /v1/models, with the route that each model answers as `task`."""
        return json_response({"object": "list", "data": self._cards()})

    async def model(self, model: str) -> Response:
        """GET /v1/models/{model}: the card of a served model by its name or that of another generation, else 404."""
        cards = self._cards()
        alike = [card for card in cards if base_name(card["id"]) == base_name(model)]
        found = [card for card in cards if card["id"] == model] or alike
        if not found:
            names = ", ".join(repr(card["id"]) for card in cards) or "no model"
            return error_response(404, f"model {model[:99]!r} is not served here, but {names}")
        return json_response(found[0])

    async def health(self) -> Response:
        """GET /health: 200 while every model thread runs, else 503."""
        alive = all(hosted.batcher.alive for hosted in self._hosted.values())
        return json_response({"status": "ok" if alive else "a model thread ended"}, 200 if alive else 503)

    async def metrics_page(self) -> Response:
        """GET /metrics: the metrics in Prometheus text format."""
        return Response(generate_latest(self._metrics.registry), media_type=CONTENT_TYPE_LATEST)

    def _cards(self) -> list[dict[str, Any]]:
        return [_card(task, hosted.engine.info, self._created_s) for task, hosted in self._hosted.items()]


def _card(task: str, info: ModelInfo, created_s: int) -> dict[str, Any]:
    """Return one model's card: whether its scores are calibrated, the threshold that gives, and how it computes."""
    held = info.calibrated
    return {
        "id": info.name,
        "object": "model",
        "created": created_s,
        "owned_by": "nearline",
        "root": info.name,
        "parent": None,
        "max_model_len": info.context_tokens,
        "task": task,
        "calibrated": held is not None,
        "alert_threshold": held.calibration.threshold if held else None,
        "scored_as": info.scored_as or None,
    }
