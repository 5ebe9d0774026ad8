"""What a file of results is of decides whether it is gone on with."""

import pytest

from ser.errors import InputError
from ser.recognizer.resume import results_file

FILES, WINDOWS = {"run": "x"}, {"run": "x", "windows": {"window": 3.0}}


@pytest.mark.parametrize(("first", "then"), [(FILES, WINDOWS), (WINDOWS, FILES)])
def test_windows_and_files_are_not_mixed_where_there_is_no_header(tmp_path, first, then):
    path = tmp_path / "a.jsonl"
    with results_file(path, first, iter(["x", "y"])) as results:
        results.write("{}\n")
        results.finish("x")
    with (
        pytest.raises(InputError, match="another windows"),
        results_file(path, then, iter(["x", "y"])),
    ):
        pass
    with results_file(path, first, iter(["x", "y"])) as results:
        assert results.done == 1
