"""Strategies for any record, and one example of each."""

from hypothesis import strategies as st

from schemas.records import (
    Alert,
    Candidate,
    DeadLetter,
    FeatureRecord,
    Op,
    Posting,
    PostingUpdate,
    Reason,
    SavedSearch,
    ScoreRequest,
    State,
)

text = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
maybe = st.none() | text
long = st.integers(-(2**63), 2**63 - 1)
integer = st.integers(-(2**31), 2**31 - 1)
real = st.floats(allow_nan=False)

postings = st.builds(
    Posting,
    title=text,
    company=maybe,
    location=maybe,
    employment_type=maybe,
    remote=maybe,
    salary=maybe,
    description=text,
)
updates = st.builds(
    PostingUpdate,
    posting_id=text,
    version=long,
    op=st.sampled_from(Op),
    posting=st.none() | postings,
    as_of=long,
)
features = st.builds(
    FeatureRecord,
    posting_id=text,
    version=long,
    state=st.sampled_from(State),
    lifecycle_version=long,
    episode=long,
    begun_version=long,
    reposted_version=long,
    ended_version=long,
    removed_version=long,
    content_version=long,
    content_hash=st.binary(max_size=16),
    title=text,
    company=maybe,
    location=maybe,
    employment_type=maybe,
    remote=maybe,
    salary=maybe,
    input_hash=st.binary(max_size=16),
    summary_version=long,
    summary_hash=st.binary(max_size=16),
    summary=text,
    summary_tokens=integer,
    input_tokens=integer,
    model=text,
    generation=integer,
    vector=st.binary(max_size=16),
    vector_hash=st.binary(max_size=16),
    vector_model=text,
    vector_generation=integer,
)
searches = st.builds(
    SavedSearch,
    search_id=text,
    query=text,
    location=maybe,
    remote=st.none() | st.booleans(),
    employment_type=maybe,
    threshold=real,
    top_k=integer,
    must_not=st.lists(text, max_size=3).map(tuple),
    radius_km=real,
    pay_from=maybe,
    semantic_threshold=st.none() | real,
)
candidates = st.builds(
    Candidate, posting_id=text, version=long, updated_ms=long, reason=st.sampled_from(Reason)
)
requests = st.builds(
    ScoreRequest,
    search=searches,
    candidates=st.lists(candidates, max_size=5).map(tuple),
    created_ms=long,
    query_vector=st.binary(max_size=16),
    query_model=text,
    least_similarity=real,
)
alerts = st.builds(
    Alert,
    alert_id=text,
    search_id=text,
    posting_id=text,
    version=long,
    episode=long,
    query=text,
    title=text,
    company=maybe,
    p_yes=real,
    model=text,
    updated_ms=long,
    reason=st.sampled_from(Reason),
)
dead_letters = st.builds(
    DeadLetter,
    reason=text,
    topic=text,
    partition=integer,
    offset=long,
    key=st.none() | st.binary(max_size=20),
    value=st.binary(max_size=50),
    length=long,
    sha256=text,
)
records = updates | features | searches | requests | alerts | dead_letters

_POSTING = Posting(
    title="Night nurse",
    company="Northern Trust",
    location=None,
    employment_type="part-time",
    remote="onsite",
    salary="£28,000",
    description="Three nights a week.\nTeam of eight. Schichtzulage: 25 %, später mehr.",
)
_SEARCH = SavedSearch(search_id="s-1", query="nurse nights", location="Leeds", remote=False, threshold=0.25)
EXAMPLES: list[PostingUpdate | FeatureRecord | SavedSearch | ScoreRequest | Alert | DeadLetter] = [
    PostingUpdate(posting_id="p-1", version=1432672807000000, op=Op.ADD, posting=_POSTING),
    FeatureRecord(
        posting_id="p-1",
        version=1432672807000001,
        state=State.CLOSED,
        lifecycle_version=1432672807000001,
        episode=1432672807000000,
        content_version=1432672807000000,
        content_hash=bytes(range(16)),
        title="Night nurse",
        company="Northern Trust",
        input_hash=bytes(range(16, 32)),
        summary_version=1432672807000000,
        summary_hash=bytes(range(16, 32)),
        summary="nurse, nights, team of eight",
        summary_tokens=9,
        input_tokens=300,
        model="summarizer@7",
        generation=7,
        vector=bytes(range(8)),
        vector_hash=bytes(range(32, 48)),
        vector_model="embedder@2",
        vector_generation=2,
    ),
    _SEARCH,
    ScoreRequest(
        search=_SEARCH,
        candidates=(
            Candidate(posting_id="p-1", version=1432672807000001, updated_ms=1432672807123),
            Candidate(posting_id="p-2", version=5, updated_ms=0),
        ),
        created_ms=1432672807999,
        query_vector=bytes(range(8)),
        query_model="embedder@2",
        least_similarity=0.375,
    ),
    Alert(
        alert_id="0123456789abcdef0123456789abcdef",
        search_id="s-1",
        posting_id="p-1",
        version=1432672807000001,
        episode=1432672807000000,
        query="nurse nights",
        title="Night nurse",
        company=None,
        p_yes=0.8125,
        model="ranker@1",
        updated_ms=1432672807123,
    ),
    DeadLetter(
        reason="damaged posting_update",
        topic="postings.updates",
        partition=2,
        offset=41,
        key=b"p-1",
        value=b"\x00\xff",
        length=2,
        sha256="ab" * 32,
    ),
]
