"""The number of texts that a model server says to have summarized."""

import httpx
from prometheus_client.parser import text_string_to_metric_families

from nearline.stack.component import HTTP


def counted(url: str) -> float | None:
    """The texts that the model server at `url` has summarized; None when it does not say."""
    try:
        page = HTTP.get(f"{url}/metrics", timeout=2.0)
        page.raise_for_status()
        return read_count(page.text)
    except (httpx.HTTPError, ValueError):
        return None


def read_count(page: str) -> float | None:
    """The prompts continued, from a page of our server's metrics: 0 before the first, None on a page of another's."""
    families = {family.name: family for family in text_string_to_metric_families(page)}
    if (family := families.get("nearline_model_items")) is None:
        return None
    samples = (s for s in family.samples if s.name.endswith("_total"))
    return sum((s.value for s in samples if s.labels.get("route") == "/v1/completions"), 0.0)
