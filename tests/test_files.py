import pytest

from ser.files import PARTIAL, atomic_path, atomic_text, make_folder


def test_a_file_is_written_whole(tmp_path):
    atomic_text(tmp_path / "new" / "a.txt", "Grüße\n")
    assert (tmp_path / "new" / "a.txt").read_bytes() == "Grüße\n".encode()
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["a.txt"]


def test_an_interrupted_write_leaves_what_was_there(tmp_path):
    target = tmp_path / "a.txt"
    atomic_text(target, "before")

    def interrupted() -> None:
        with atomic_path(target) as partial:
            partial.write_text("half of")
            assert partial.name.startswith(PARTIAL)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert target.read_text() == "before"
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]


def test_folders_are_made_with_those_above_them(tmp_path):
    make_folder(tmp_path / "a" / "b")
    make_folder(tmp_path / "a" / "b")
    assert (tmp_path / "a" / "b").is_dir()
