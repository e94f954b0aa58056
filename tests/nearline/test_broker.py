"""What the broker is formatted with."""

import base64

from hypothesis import given
from hypothesis import strategies as st

from nearline.stack.broker import cluster_id


@given(st.binary(min_size=16, max_size=16))
def test_a_cluster_id_is_sixteen_bytes_that_no_tool_takes_for_an_option(random: bytes) -> None:
    made = cluster_id(random)
    assert not made.startswith("-")
    assert len(base64.urlsafe_b64decode(made + "==")) == 16
