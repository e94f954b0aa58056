"""What ends an SGLang is answered 400 by ours, which lives."""

from pathlib import Path

import httpx
import pytest

from benchmarks.engine.sglang import SglangConfig
from nearline.stack.processes import wait_until
from nearline.stack.tools import free_port
from tests.sglang.cases import DIES, NAME, Case, edge_cases
from tests.support.sglang import SglangServer, device

pytestmark = [pytest.mark.sglang, pytest.mark.usefixtures("needs_sglang"), pytest.mark.timeout(1200)]

GOOD, *_ = EDGE_CASES = edge_cases()
SAMPLE = {"no ids at all", "no text at all", "an id beyond the vocabulary", "a negative id"}


@pytest.mark.parametrize("case", [pytest.param(c, id=c.name) for c in EDGE_CASES if c.name in SAMPLE])
def test_a_request_ends_the_whole_of_sglang(checkpoint: Path, tmp_path: Path, case: Case) -> None:
    config = SglangConfig(model=checkpoint, name=NAME, port=free_port(), device=device(), dtype="float32")
    with SglangServer(config, tmp_path) as server:
        assert GOOD.post(server.url).status_code == 200
        with pytest.raises(httpx.TransportError):
            case.post(server.url)
        assert wait_until(lambda: server.process.poll() is not None, 120)


def test_the_same_requests_are_refused_by_ours_and_hurt_nobody(our_url: str) -> None:
    for case in (case for case in EDGE_CASES if case.status == DIES):
        answer = case.post(our_url)
        assert (answer.status_code, answer.json()["code"]) == (400, 400), case.name
        assert GOOD.post(our_url).status_code == 200
