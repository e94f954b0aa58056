"""What our groups keep beside each committed offset: the ids of the topics that the offset is about, and more."""

import json
from collections.abc import Mapping
from typing import Any

from streaming.kafka.topic_watch import TopicIds


def write(topics: TopicIds, **more: Any) -> str:
    """The text of a commit's metadata (Kafka allows 4,096 bytes)."""
    return json.dumps({"topics": dict(topics), **more}, separators=(",", ":"))


def read(metadata: str | None) -> Mapping[str, Any]:
    """What `write` wrote; nothing for other metadata: Kafka's own tools leave it empty when they reset offsets."""
    try:
        found = json.loads(metadata or "")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def topic_ids(metadata: str | None) -> TopicIds:
    """The ids of the topics at the commit; none where an older version committed."""
    found = read(metadata).get("topics")
    return {str(name): str(topic_id) for name, topic_id in found.items()} if isinstance(found, dict) else {}
