"""What holds of every manifest, wherever it comes from."""

from __future__ import annotations

import math
import re
from pathlib import Path

from ser.manifests import COLUMNS, Manifest, id_from_path, is_corpus_name, problem_with_id
from ser.manifests.manifest import GENDERS
from ser.manifests.missing import is_missing
from ser.manifests.names import is_language
from ser.manifests.paths import is_inside
from ser.manifests.spellings import spelling
from ser.manifests.text import plain
from ser.manifests.vocabulary import problem_with_emotion


def assert_sound(manifest: Manifest, folder: Path) -> None:
    """Assert the invariants of a manifest; `folder` is written to."""
    table = manifest.table
    assert len(table) > 0
    assert tuple(table.columns[: len(COLUMNS)]) == COLUMNS
    assert len(set(table.columns)) == len(table.columns)

    ids = list(table["id"])
    assert ids == sorted(ids)
    assert not any(map(problem_with_id, ids))
    assert len({name.lower() for name in ids}) == len(ids)
    for name, path in zip(ids, table["path"], strict=True):
        assert is_inside(path)
        assert not re.search("[\0-\x1f\x7f]", path)
        assert not is_missing(name) or name == id_from_path(path)

    assert is_corpus_name(manifest.corpus)
    assert is_language(manifest.language)
    assert set(table["corpus"]) == {manifest.corpus}
    assert set(table["language"]) == {manifest.language}
    assert set(table["gender"]) <= set(GENDERS)
    assert [problem_with_emotion(name) for name in manifest.labels] == [None] * len(manifest.labels)
    assert all(math.isfinite(seconds) and seconds > 0 for seconds in table["duration"])
    assert all(re.fullmatch("[0-9a-f]{16,64}", audio) for audio in table["audio_hash"])

    for column in set(table.columns) - {"duration", "path"}:
        values = set(table[column])
        assert {plain(value) for value in values} == values
        if column == "speaker" or column not in COLUMNS:
            assert not any(value and is_missing(value, column == "speaker") for value in values)
        if column in ("speaker", "session", "emotion"):
            assert len({spelling(value) for value in values}) == len(values)

    manifest.save(folder / "saved.csv")
    again = Manifest.load(folder / "saved.csv")
    assert again.table.equals(table)
    assert (again.id, again.notes) == (manifest.id, ())
    again.save(folder / "again.csv")
    assert (folder / "again.csv").read_bytes() == (folder / "saved.csv").read_bytes()
