"""Any record, for property tests; versions are few so that ties and races are common."""

from hypothesis import strategies as st

from schemas.records import (
    Alert,
    Candidate,
    DeadLetter,
    FeatureRecord,
    Op,
    Posting,
    PostingUpdate,
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
    PostingUpdate, posting_id=text, version=long, op=st.sampled_from(Op), posting=st.none() | postings
)
features = st.builds(
    FeatureRecord,
    posting_id=text,
    version=long,
    state=st.sampled_from(State),
    lifecycle_version=long,
    episode=long,
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
)
candidates = st.builds(Candidate, posting_id=text, version=long, updated_ms=long)
requests = st.builds(
    ScoreRequest,
    search=searches,
    candidates=st.lists(candidates, max_size=5).map(tuple),
    created_ms=long,
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
