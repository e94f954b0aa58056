"""The same requests to a real SGLang and to our server."""

import pytest

from tests.sglang.cases import DIES, Case, disagreements, edge_cases, generated
from tests.sglang.differences import BY_CASE

pytestmark = [pytest.mark.sglang, pytest.mark.usefixtures("needs_sglang"), pytest.mark.timeout(1200)]

ASKED = [case for case in edge_cases() if case.status != DIES]
REQUESTS = list(generated(seed=5, count=300))


@pytest.mark.parametrize("case", [pytest.param(case, id=case.name) for case in ASKED])
def test_an_edge_case_is_answered_alike_or_as_the_table_says(
    sglang_url: str, our_url: str, case: Case
) -> None:
    theirs, ours = case.post(sglang_url), case.post(our_url)
    assert theirs.status_code == case.status, f"SGLang was recorded otherwise: {theirs.text:.300}"
    difference = BY_CASE.get(case.name)
    if difference is None or ours.status_code == theirs.status_code:
        apart = frozenset() if difference is None else difference.apart
        assert disagreements(theirs, ours, apart) == []
        if apart:
            assert disagreements(theirs, ours) != [], "no difference: take it out of the table"
    if difference is not None:
        assert ours.status_code == difference.statuses[case.name], ours.text


@pytest.mark.parametrize("start", range(0, len(REQUESTS), 20))
def test_generated_requests_are_answered_alike(sglang_url: str, our_url: str, start: int) -> None:
    found = {
        case.name: wrong
        for case in REQUESTS[start : start + 20]
        if (wrong := disagreements(case.post(sglang_url), case.post(our_url)))
    }
    assert found == {}
