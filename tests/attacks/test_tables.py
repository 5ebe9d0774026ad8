"""Hostile tables: every one is refused in our words, or gives a manifest that is sound."""

from __future__ import annotations

import csv
import io
import random
import tracemalloc
import zlib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ser.cache import Cache, store_manifest
from ser.errors import InputError, SerError
from ser.manifests import COLUMNS, Manifest, make_splits, read_splits, write_splits
from ser.manifests.csv_corpus import scan_csv
from ser.manifests.csv_files import read_csv
from ser.manifests.missing import is_missing

from ..sound import assert_sound

CELLS = [
    *("", " ", "nan", "None", "N/A", "-1", "?", "unknown", "\u200b", "\xa0", "Unnamed: 0"),
    *("../../x.wav", "..\\..\\x.wav", "/etc/passwd", "~root/x", "~nobody-here/x", "a/../../b"),
    *("C:\\x.wav", "C:x", "\\\\server\\share\\x", "file:///etc/passwd", "file://[", "file:%zz"),
    *("CON", "nul.wav", "com1", "con.a.b", ".", "..", ".a", "a.", "-", "--help", "a" * 129),
    *("%00", "%2e%2e/x", "%8A.wav", "%0A", "%", "a%25.wav", "http://x/y.wav", "a//b.wav", "./a"),
    *("=1+1", "=cmd|' /C calc'!A0", "+1", "@SUM(A1)", '="03"', "'03", "03", "3", "3.0", "3,0"),
    *("#REF!", "#####", "1e5", "1E+05", "1e400", "-0", "1_0", "0x10", "inf", "-inf", "1" * 5000),
    *("true", "False", "[]", "{}", "()", "b'x'", "1970-01-01", "12:00", "\\N", "${x}", "`id`"),
    *("\u202egnp.wav", "\u2066a\u2069", "a\u0301", "á", "Å", "\u212b", "ﷺ", "ﬀ", "İ", "ı", "ß"),
    *("e" + "\u0301" * 3000, "\U0001f468\u200d\U0001f469\u200d\U0001f467", "\ufffd", "\uffff"),
    *("\x07", "\x1b[31mred", "a\tb", "a\nb", "a\rb", "a\r\nb", "\x0b", "\x1f", "\x7f", "\x85"),
    *("\u2028", "x" * 70_000, "x" * 140_000, '"', '""', "'", ",", ";", "a,b", "a;b", "a=b", "="),
    *("anger", "Anger", "ANGER ", "angr", "happy", "fear", "calm", "awe", "unhappiness", "anger2"),
    *("Anna", "anna", "ANNA", "f", "m", "female", "W", "other", "x", "de", "pt_BR", "und", "xx"),
]
HEADERS = [
    *COLUMNS,
    *("Path", "EMOTION", "ｐａｔｈ", "path\u200b", "", " ", "Unnamed: 0", "session", "Session"),
    *("part", "fold", "seed", "protocol", "nan", "index", "=x", "a\nb", "x" * 5000, "emotion "),
]
ENCODINGS = [*["utf-8"] * 20, "utf-8-sig", "utf-16", "utf-16-le", "utf-32", "latin-1"]
OPTIONS = [
    *[""] * 10,
    "awe",
    "xxx=",
    "nan=",
    "awe,angr=anger,missing=",
    "=",
    "a=b=c",
    "nan",
    "-",
    "a=,a",
]


PIECES = [b"", b"", b"\0", b'"', b"\n", b"\r", b",", b"\xff", b"\xed\xa0\x80", b"\xc3", b" "]


def good(count: int = 6) -> pd.DataFrame:
    """A table that is a manifest."""
    return pd.DataFrame(
        {
            "id": [f"u{n}" for n in range(count)],
            "corpus": "mine",
            "language": "pt",
            "speaker": [f"s{n % 3}" for n in range(count)],
            "gender": "",
            "emotion": [("fear", "calm")[n % 2] for n in range(count)],
            "path": [f"u{n}.wav" for n in range(count)],
            "duration": 1.0,
            "audio_hash": [f"{n:032x}" for n in range(count)],
            "session": [f"{n % 3}" for n in range(count)],
        }
    )


def written(rows: list[list[str]], case: random.Random) -> bytes:
    """A table as bytes: with one of several separators, quotings, line ends and encodings."""
    text = io.StringIO(newline="")
    writer = csv.writer(
        text,
        delimiter=case.choice([*"," * 8, ";", "\t", "|"]),
        quoting=case.choice([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
        lineterminator=case.choice(["\n", "\n", "\r\n", "\r"]),
    )
    for row in rows:
        writer.writerow(row)
    begin = ["sep=;\n", "sep=,\r\n", "\n\n", "\ufeff\ufeff", "sep=\n"]
    content = case.choice([*[""] * 20, *begin])
    content += text.getvalue()
    return content.encode(case.choice(ENCODINGS), case.choice(["replace", "xmlcharrefreplace"]))


def hostile_rows(case: random.Random) -> list[list[str]]:
    """A table of which cells, columns and rows are not what they should be."""
    table = good(case.randrange(1, 7))
    rows = [list(table.columns), *(list(map(str, row)) for row in table.itertuples(index=False))]
    for _ in range(case.choice([0, 1, 1, 2, 5])):
        row = rows[case.randrange(1, len(rows))]
        row[case.randrange(len(row))] = case.choice(CELLS)
    for _ in range(case.choice([0, 0, 0, 0, 0, 0, 1, 2])):
        rows[0][case.randrange(len(rows[0]))] = case.choice(HEADERS)
    kinds = ["ragged", "wide", "twice", "empty", "index", "column", "long"]
    kind = case.choice([*[""] * 7, *kinds])
    if kind == "ragged":
        case.choice(rows).append(case.choice(["", "x"]))
    elif kind == "wide":
        count = case.choice([60, 60, 60, 2500])
        rows = [row + [f"c{n}" for n in range(count)] for row in rows[:3]]
    elif kind == "twice":
        rows.append(case.choice(rows))
    elif kind == "empty":
        rows = [[*row, "", ""] for row in rows] + [[""] * 12]
    elif kind == "index":
        rows = [["", *rows[0]], *([str(n), *row] for n, row in enumerate(rows[1:]))]
    elif kind == "column":
        value = case.choice(CELLS)
        place = case.randrange(len(rows[0]))
        rows = [rows[0], *([*row[:place], value, *row[place + 1 :]] for row in rows[1:])]
    elif kind == "long":
        rows += [[f"v{n}", *rows[-1][1:]] for n in range(500)]
    return rows


def damaged(data: bytes, case: random.Random) -> bytes:
    """Bytes of which some are others, gone, doubled, or followed by something."""
    content = bytearray(data)
    for _ in range(case.choice([1, 1, 1, 3])):
        place = case.randrange(len(content) + 1)
        piece = case.choice([*PIECES, case.choice(CELLS)[:100].encode()])
        content[place : place + case.choice([0, 0, 1, 1, 1, 30])] = piece
    end = case.randrange(len(content) + 1) if case.random() < 0.1 else len(content)
    return bytes(content[:end])


def scanned(file: Path, case: random.Random) -> Manifest:
    """The manifest of a user's table, as if every file were good."""
    language = case.choice(["pt", "pt", None])
    scan = scan_csv(file, language, file.parent, {"emotions": case.choice(OPTIONS)})
    rows = [
        {
            **{"id": entry.id, "corpus": "mine", "language": scan.language},
            **{"speaker": entry.speaker, "gender": entry.gender, "emotion": entry.emotion},
            **{"path": entry.path, "duration": 1.0, "audio_hash": f"{number:032x}"},
            **entry.extra,
        }
        for number, entry in enumerate(scan.entries)
    ]
    made = Manifest(pd.DataFrame(rows))
    assert not made.notes
    return made


def stored(file: Path, case: random.Random) -> Manifest:
    """What a cache has in the end, that a hostile manifest lay in and a good one came to."""
    cache = Cache(file.parent / f"cache-{file.stem}")
    (cache.folder / "manifests").mkdir(parents=True)
    file.rename(cache.folder / "manifests" / "mine.csv")
    other = good(case.randrange(1, 9))
    other["speaker"] = [case.choice(["s0", "S0", "s00", "s1", "nan", "1.0"])] * len(other)
    store_manifest(cache, Manifest(other), replace=case.random() < 0.2)
    return cache.manifest("mine")


def ends_well(make, outcome, folder: Path) -> None:
    """Assert that something is refused in plain words, or gives a sound manifest."""
    try:
        made = make()
    except SerError as error:
        text = str(error)
        assert text.strip()
        assert "Traceback" not in text
        text.encode("utf-8", "strict")
        outcome("refused")
    else:
        assert_sound(made, folder)
        outcome("sound")


def test_damaged_bytes(attack, outcome, tmp_path):
    whole = good().to_csv(index=False).encode()
    for number, case in enumerate(attack(200)):
        file = tmp_path / f"{number}.csv"
        file.write_bytes(damaged(whole, case))
        make = case.choice([Manifest.load, lambda file, case=case: scanned(file, case)])
        ends_well(lambda make=make, file=file: make(file), outcome, tmp_path)
        try:
            table = read_csv(file, ("path",))
        except SerError:
            continue
        assert all(set(row) == set(table.columns) for row in table.rows.values())


def test_hostile_manifests_in_a_cache(attack, outcome, tmp_path):
    for number, case in enumerate(attack(60)):
        file = tmp_path / f"{number}.csv"
        rows = hostile_rows(case)
        file.write_bytes(
            damaged(written(rows, case), case) if case.random() < 0.2 else written(rows, case)
        )
        ends_well(lambda file=file, case=case: stored(file, case), outcome, tmp_path)


def test_hostile_splits(attack, outcome, tmp_path):
    manifest = Manifest(good(20))
    write_splits(tmp_path / "good.csv", manifest, make_splits(manifest, "speaker", 0))
    rows = [line.split(",") for line in (tmp_path / "good.csv").read_text().splitlines()]
    for number, case in enumerate(attack(60)):
        changed = [list(row) for row in rows]
        for _ in range(case.choice([0, 1, 1, 3])):
            row = case.choice(changed)
            row[case.randrange(len(row))] = case.choice([*CELLS, "train", "test", "1", "paper"])
        case.shuffle(changed) if case.random() < 0.1 else None
        file = tmp_path / f"{number}.csv"
        data = written(changed, case)
        file.write_bytes(damaged(data, case) if case.random() < 0.3 else data)
        try:
            splits = read_splits(file, manifest)
        except SerError:
            outcome("refused")
        else:
            for split in splits:
                parts = list(split.parts().values())
                assert sorted(name for part in parts for name in part) == list(manifest.ids)
            outcome("read")


VALUES = [
    *(None, np.nan, pd.NA, pd.NaT, True, False, 0, -1, 3, 3.0, 1e300, float("inf"), 1j),
    *(b"bytes", [], [1], {}, (), object(), "\ud800", "a\0b", "x" * 100_001, pd.Timestamp(0)),
    *(pd.Timedelta(1), np.float32(2), np.int64(7), 10**30),
]


def test_frames_of_wrong_types(attack, outcome, tmp_path):
    for case in attack(90):
        table = good(case.randrange(1, 6))
        for _ in range(case.choice([1, 1, 2, 4])):
            column = case.choice(list(table.columns))
            kind = case.choice(["cell", "cell", "column", "dtype", "drop", "double", "rename"])
            if kind == "cell":
                values = table[column].astype(object).tolist()
                values[case.randrange(len(values))] = case.choice([*VALUES, *CELLS])
                table[column] = pd.Series(values, dtype=object, index=table.index)
            elif kind == "column":
                value = case.choice([*VALUES, *CELLS])
                table[column] = pd.Series([value] * len(table), dtype=object, index=table.index)
            elif kind == "dtype":
                table[column] = table[column].astype(case.choice(["category", "object", "string"]))
            elif kind == "drop" and len(table.columns) > 9:
                table = table.drop(columns="session")
            elif kind == "double":
                table = pd.concat([table, table[[column]]], axis=1)
                break
            elif kind == "rename":
                table = table.rename(columns={column: case.choice([7, "", " ", "id ", None, "x"])})
                break
        if case.random() < 0.2:
            table.index = [0] * len(table)
        ends_well(lambda table=table: Manifest(table), outcome, tmp_path)


def test_a_table_of_a_million_columns(tmp_path):
    head, *rows = good().to_csv(index=False).splitlines()
    file = tmp_path / "wide.csv"
    for hint in ("", "sep=,\n"):
        file.write_text(hint + "\n".join([head + ",c" * 1_000_000, *rows]))
        with pytest.raises(InputError, match=r"has \d{6,} columns; there may be 1000"):
            Manifest.load(file)


def test_little_that_unpacks_to_much(tmp_path):
    file = tmp_path / "bomb.csv"
    file.write_bytes(packed(b"\n", 200))
    tracemalloc.start()
    try:
        with pytest.raises(InputError, match=r"unpacks to more than \d+ bytes"):
            Manifest.load(file)
        assert tracemalloc.get_traced_memory()[1] < 100 << 20
    finally:
        tracemalloc.stop()


def test_a_cell_too_long_to_say_that_nothing_is_known():
    assert is_missing("é -" * 3) is False
    assert is_missing("-" * 900) is True
    assert is_missing("-" * 90_000) is False
    table = good()
    table["session"] = "é" * 100_000
    assert Manifest(table).table["session"][0] == "é" * 100_000


def packed(filling: bytes, megabytes: int) -> bytes:
    """So much of the same in gzip, made without that much memory."""
    packer = zlib.compressobj(1, wbits=31)
    piece = filling * ((1 << 20) // len(filling))
    return b"".join([*(packer.compress(piece) for _ in range(megabytes)), packer.flush()])
