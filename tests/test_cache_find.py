"""Where texts are among others."""

from hypothesis import given
from hypothesis import strategies as st

from ser.cache.find import find

texts = st.lists(st.text("abc", max_size=3), max_size=12)


@given(texts, texts, st.sampled_from([hash, len, lambda text: 0]))
def test_the_first_place_whatever_the_hashes(wanted, among, key):
    expected = [among.index(text) if text in among else -1 for text in wanted]
    assert find(wanted, among, key).tolist() == expected
