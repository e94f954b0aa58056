from typing import Any

import pytest

from benchmarks.engine.cases import cases
from benchmarks.engine.peers import KINDS
from benchmarks.engine.speeds import best, expected_gain, faster, finalists, items_s, share
from benchmarks.engine.tables import findings, tables

RUN = {"commit": "abc", "date": "today", "load_before": 0.1, "command": "python -m benchmarks.engine"}
CASE: dict[str, Any] = {
    "title": "Ten items",
    "kind": "closed",
    "items": 10,
    "operations": 400e9,
    "operations_last_tokens": 300e9,
    "peak": {"float32 linear": 100e9, "float32 prepacked": 200e9, "bfloat16 linear": 400e9},
    "seconds": {
        "ours:float32": [4.0, 4.0, 4.0],
        "ours:bfloat16": [2.0, 2.0, 2.0],
        "ours-multi-item:bfloat16": [1.9, 2.5, 2.5],
        "hf-padded:float32": [8.0, 8.0, 8.0],
        "hf-padded:bfloat16": [5.0, 5.0, 5.0],
        "vllm:bfloat16": [4.0, 5.0, 4.0],
    },
    "differences": {"ours:float32": 1e-7},
    "versions": {"vllm:bfloat16": "vllm 1"},
    "absent": {"sglang:float32": "no environment"},
    "run": RUN,
}


def test_the_best_is_chosen_by_the_median_round_among_ours_or_among_the_peers() -> None:
    assert best(CASE, ours=True) == "ours:bfloat16"
    assert best(CASE, ours=True, of_dtype="float32") == "ours:float32"
    assert best(CASE, ours=False) == "vllm:bfloat16"
    assert best(CASE, ours=False, of_dtype="int8") is None
    assert items_s(CASE, "vllm:bfloat16") == 2.5


def test_the_share_of_the_peak_is_of_the_fastest_routine_in_the_same_or_a_finer_dtype() -> None:
    assert share(CASE, "ours:float32") == pytest.approx(0.5)
    assert share(CASE, "ours:bfloat16", "operations_last_tokens") == pytest.approx(0.375)
    slow_bfloat16 = CASE | {"peak": {"float32 linear": 800e9, "bfloat16 linear": 400e9}}
    assert share(slow_bfloat16, "ours:bfloat16") == pytest.approx(0.25)


def test_a_finding_names_the_padded_batch_and_the_best_peer_of_the_dtype_and_of_all() -> None:
    padded32, best32 = "2.00 (2.00 to 2.00)", "1.00 (1.00 to 1.25)"
    padded16, best16 = "2.50 (2.50 to 2.50)", "2.00 (2.00 to 2.50)"
    assert findings({"ten": CASE}) == [
        f"ten, ours:float32: 2.5 items/s, {padded32} × hf-padded:float32, {best32} × vllm:bfloat16, 50% of the peak.",
        f"ten, ours:bfloat16: 5 items/s, {padded16} × hf-padded:bfloat16, {best16} × vllm:bfloat16, 50% of the peak.",
    ]


def test_a_page_has_a_table_a_case_fastest_first_and_says_who_was_absent_and_why() -> None:
    found = tables({"ten": CASE})
    assert [row["items/s"] for row in found["Ten items"]] == [5.0, 4.0, 2.5, 2.5, 2.0, 1.25]
    assert found["Not measured"] == [{"case": "ten", "contender": "sglang:float32", "why": "no environment"}]
    assert found["Each case's run"] == [{"case": "ten", **RUN}]


def test_ours_is_never_compared_with_ours() -> None:
    rows = {(row["contender"], row["dtype"]): row for row in tables({"ten": CASE})["Ten items"]}
    assert rows["ours-multi-item", "bfloat16"]["our fastest is"] == "–"
    assert (
        rows["hf-padded", "float32"]["our fastest is"]
        == str(faster(CASE, "ours:bfloat16", "hf-padded:float32")) + " ×"
    )


def test_the_expected_gain_is_equation_7_and_less_for_few_items() -> None:
    endless, ten = expected_gain(50, 150, 10)
    assert endless == pytest.approx(1 + 50 / 150)
    assert ten == pytest.approx(2000 / 1550)


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_cases_have_names_and_titles_of_their_own_and_known_contenders(device: str) -> None:
    found = cases(device)
    assert len({case.name for case in found}) == len({case.title for case in found}) == len(found)
    assert {name.partition(":")[0] for case in found for name in case.contenders} <= KINDS.keys()


def test_on_a_gpu_the_papers_three_rates_are_searched() -> None:
    names = [case.name for case in cases("cuda") if case.kind == "open"]
    assert names == ["dense-full-text-open", "pruned-full-text-open", "pruned-summary-open"]


def test_after_the_first_round_the_fastest_of_ours_the_padded_batch_and_two_peers_a_dtype_run_on() -> None:
    seconds = {
        "ours:float32": [2.0],
        "ours-multi-item:float32": [1.0],
        "ours:int8": [9.0],
        "hf-padded:float32": [8.0],
        "hf-single:float32": [3.0],
        "a:float32": [4.0],
        "b:float32": [5.0],
        "c:float32": [6.0],
        "c:bfloat16": [7.0],
    }
    assert finalists(seconds) == [
        "ours-multi-item:float32",
        "ours:int8",
        "hf-padded:float32",
        "a:float32",
        "b:float32",
        "c:bfloat16",
    ]


def test_contenders_are_compared_over_the_rounds_that_both_ran() -> None:
    case = {"seconds": {"ours:float32": [1.0, 9.0, 9.0], "slow:float32": [3.0]}}
    assert str(faster(case, "ours:float32", "slow:float32")) == "3.00 (3.00 to 3.00)"
