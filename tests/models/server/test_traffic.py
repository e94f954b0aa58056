"""A request's traffic class decides its turn where its body gives no priority."""

import pytest
from fastapi import Request

from models.server.requests import BadRequest
from models.server.traffic import priority_of
from schemas.traffic import TRAFFIC_HEADER, TrafficClass


def asking(label: str | None = None) -> Request:
    headers = [] if label is None else [(TRAFFIC_HEADER.encode(), label.encode())]
    return Request({"type": "http", "method": "POST", "path": "/v1/score", "headers": headers})


def test_the_higher_class_has_the_higher_priority_and_no_class_is_online() -> None:
    given = [priority_of(asking(one.label), None) for one in sorted(TrafficClass, reverse=True)]
    assert given == sorted(given, reverse=True)
    assert len(set(given)) == 3
    assert priority_of(asking(), None) == priority_of(asking("online"), 0) == 0


def test_a_priority_in_the_body_counts_alone() -> None:
    assert priority_of(asking("refresh"), 7) == priority_of(asking(), 7) == 7


def test_a_class_that_is_none_is_refused_by_name() -> None:
    with pytest.raises(BadRequest, match=r"x-traffic-class: 'urgent' is no traffic class: give refresh"):
        priority_of(asking("urgent"), None)
