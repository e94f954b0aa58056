"""Sets of judged queries by which tiny checkpoints are measured."""

from pathlib import Path

from training.tiny.judged_sets import sets
from training.tiny.settings import Sizes

SIZES = Sizes(queries=4, postings=60)


def test_without_a_folder_or_without_its_files_only_generated_queries_are_measured(tmp_path: Path) -> None:
    ((name, judged),) = sets(None, SIZES)
    assert (name, len(judged)) == ("generated", SIZES.queries)
    assert [name for name, _ in sets(tmp_path, SIZES)] == ["generated"]


def test_a_generated_query_has_good_and_other_postings_and_one_id_for_each() -> None:
    ((_, judged),) = sets(None, SIZES)
    for one in judged:
        assert max(one.grades) >= 3 > min(one.grades)
        by_id = dict(zip(one.posting_ids, one.items, strict=True))
        assert [by_id[name] for name in one.posting_ids] == list(one.items)
        assert len(set(map(id, by_id.values()))) == len(by_id)
