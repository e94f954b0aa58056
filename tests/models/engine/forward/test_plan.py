import itertools

from hypothesis import given
from hypothesis import strategies as st

from models.engine.base import ScoreJob
from models.engine.forward.plan import Plan, divided, passes, share_many

TOKENS = st.lists(st.integers(0, 3), max_size=12)


@st.composite
def jobs(draw: st.DrawFn) -> ScoreJob:
    prefix = draw(TOKENS)
    items = draw(st.lists(TOKENS.filter(lambda item: bool(prefix or item)), min_size=1, max_size=8))
    return ScoreJob(
        prefix=prefix, items=items, labels=[[1]] * len(items), softmax_over_labels=True, temperature=1.0
    )


def prompt(plan: Plan, end: int) -> list[int]:
    segment = plan.segments[end]
    own = plan.ids[segment.start : segment.start + segment.count]
    return (prompt(plan, segment.parent) if segment.parent >= 0 else []) + own


@given(st.lists(jobs(), max_size=6), st.integers(1, 60))
def test_the_passes_hold_every_prompt_once_and_in_order(many: list[ScoreJob], budget: int) -> None:
    found: list[list[list[int]]] = [[] for _ in many]
    for plan, parts in passes(many, budget):
        ends = iter(plan.ends)
        for part in parts:
            count = part.items.stop - part.items.start
            found[part.job] += [prompt(plan, next(ends)) for _ in range(count)]
        assert next(ends, None) is None
    assert found == [[job.prefix + item for item in job.items] for job in many]


@given(st.lists(jobs(), min_size=1, max_size=6), st.integers(1, 60))
def test_segments_lie_one_after_the_other_and_continue_their_parents(
    many: list[ScoreJob], budget: int
) -> None:
    for plan, _ in passes(many, budget):
        at = 0
        for segment in plan.segments:
            parent = plan.segments[segment.parent] if segment.parent >= 0 else None
            assert segment.start == at
            assert segment.count > 0
            assert segment.offset == (parent.count if parent else 0)
            assert parent is None or parent.parent == -1
            at += segment.count
        assert at == len(plan.ids)


@given(st.lists(jobs(), min_size=1, max_size=6), st.integers(1, 60))
def test_a_pass_exceeds_its_budget_only_by_what_cannot_be_cut(many: list[ScoreJob], budget: int) -> None:
    shared = share_many(many)
    for plan, parts in passes(many, budget):
        (prefix, _), longest = shared[parts[0].job], max(segment.count for segment in plan.segments)
        assert len(plan.ids) <= max(budget, len(prefix) + budget // 2, len(prefix) + longest)


@given(jobs())
def test_what_all_prompts_of_a_job_begin_with_is_computed_once(job: ScoreJob) -> None:
    ((prefix, rests),) = share_many([job])
    assert [prefix + rest for rest in rests] == [job.prefix + item for item in job.items]
    firsts = {rest[0] if rest else None for rest in rests}
    assert len(rests) == 1 or len(firsts) > 1 or firsts == {None}


def test_requests_with_one_query_share_its_tokens() -> None:
    job = ScoreJob(
        prefix=[1, 2, 3], items=[[4], [5]], labels=[[1]] * 2, softmax_over_labels=True, temperature=1.0
    )
    ((plan, _),) = passes([job, job], 1000)
    assert plan.ids == [1, 2, 3, 4, 5, 4, 5]


@given(st.lists(jobs(), min_size=1, max_size=6))
def test_jobs_share_prefixes_only_where_that_computes_fewer_tokens(many: list[ScoreJob]) -> None:
    shared = share_many(many)
    for job, (prefix, rests) in zip(many, shared, strict=True):
        assert [prefix + rest for rest in rests] == [job.prefix + item for item in job.items]
    alone = [len(prefix) + own for prefix, own in map(divided, many)]
    assert computed(shared) <= sum(alone)
    if len(many) == 2:
        lengths = itertools.product(*(range(len(divided(job)[0]) + 1) for job in many))
        assert computed(shared) == min(cost(many, choice) for choice in lengths)


def computed(shared: list[tuple[list[int], list[list[int]]]]) -> int:
    """Tokens of the different prefixes and of what stands behind them."""
    prefixes = {tuple(prefix) for prefix, _ in shared}
    return sum(map(len, prefixes)) + sum(len(rest) for _, rests in shared for rest in rests)


def cost(many: list[ScoreJob], lengths: tuple[int, ...]) -> int:
    """Tokens that are computed if each job's prompts are cut after so many tokens."""
    pairs = list(zip(many, lengths, strict=True))
    cut = [
        (divided(job)[0][:length], [(job.prefix + item)[length:] for item in job.items])
        for job, length in pairs
    ]
    return computed(cut)


def test_jobs_of_one_item_and_one_query_share_the_query() -> None:
    many = [
        ScoreJob(prefix=[1, 2, 3], items=[[item]], labels=[[1]], softmax_over_labels=True, temperature=1.0)
        for item in (4, 5)
    ]
    ((plan, _),) = passes(many, 1000)
    assert plan.ids == [1, 2, 3, 4, 5]
    assert divided(many[0]) == ([1, 2, 3, 4], 0)
