"""The commands as a user types them, on real (synthesised) audio."""

import csv
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from ser.cli import main
from ser.errors import BAD_FILES
from ser.manifests import ProbeCache

pytest.importorskip("espeakng_loader", reason="the demo extra is not installed")
soundfile = pytest.importorskip("soundfile", reason="the extract extra is not installed")


@pytest.fixture(autouse=True)
def elsewhere(monkeypatch, tmp_path):
    """What goes into the folder where one stands does not go into the checkout."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="module")
def corpora(tmp_path_factory):
    from ser.demo import synthesise

    return synthesise(tmp_path_factory.mktemp("corpora"), speakers=4, sentences=1)


@pytest.fixture(scope="module")
def filled(tmp_path_factory, corpora):
    """A cache with mfcc and ge2e of the German corpus."""
    cache = tmp_path_factory.mktemp("filled")
    result = ser("extract", "--corpus", "emodb", "--root", corpora["emodb"], "--cache", cache)
    assert result.exit_code == 0, result.output
    return cache


@pytest.fixture
def cache(tmp_path, filled):
    return shutil.copytree(filled, tmp_path / "cache")


def ser(*arguments):
    if arguments[0] == "extract" and "--workers" not in arguments:
        arguments = (*arguments, "--workers", 0)
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def refused(result, code, *says):
    """One clear message, the exit code, and no traceback."""
    assert result.exit_code == code, result.output
    for words in says:
        assert words in result.stderr, result.stderr
    assert "Traceback" not in result.output
    assert result.exception is None or isinstance(result.exception, SystemExit)


def test_extract_twice_computes_once(corpora, tmp_path):
    arguments = ("extract", "--corpus", "cafe", "--root", corpora["cafe"], "--cache", tmp_path)
    first = ser(*arguments)
    assert first.exit_code == 0, first.output
    assert "cafe mfcc: 28 of 28 cached, 28 new" in first.stdout
    second = ser(*arguments)
    assert second.stdout.splitlines() == [
        "cafe mfcc: 28 of 28 cached, nothing was missing",
        "cafe ge2e: 28 of 28 cached, nothing was missing",
    ]


def test_what_a_shared_cache_has_is_not_computed_again(corpora, filled, tmp_path, monkeypatch):
    own, before = tmp_path / "own", sorted(filled.rglob("*"))
    monkeypatch.setenv("SER_CACHE", f"{own}{os.pathsep}{filled}")
    arguments = ("extract", "--corpus", "emodb", "--root", corpora["emodb"])
    assert ser(*arguments).stdout.splitlines() == [
        "emodb mfcc: 28 of 28 cached, nothing was missing",
        "emodb ge2e: 28 of 28 cached, nothing was missing",
    ]
    assert not own.exists()
    result = ser(*arguments, "--features", "mfcc,logmel")
    assert "emodb logmel: 28 of 28 cached, 28 new" in result.stdout, result.output
    assert [path.name.partition("-")[0] for path in own.glob("features/*")] == ["logmel"]
    assert not (own / "manifests").exists()
    train = ("train", "--setting", "baseline", "--corpus", "emodb", "--repeats", 1)
    result = ser(*train, "--features", "logmel,ge2e", "--out", tmp_path / "run")
    assert result.exit_code == 0, result.output
    assert sorted(filled.rglob("*")) == before


def test_the_whole_path(filled, tmp_path):
    for setting in ("single", "baseline"):
        out = tmp_path / setting
        result = ser(
            *("train", "--setting", setting, "--corpus", "emodb", "--cache", filled, "--out", out),
            *("--repeats", 2, "--workers", 1),
            *(("--set", "train.epochs=2") if setting == "single" else ()),
        )
        assert result.exit_code == 0, result.output
        assert "Speakers overlap" in result.stdout
        assert "recall" in result.stdout
        metrics = json.loads((out / "metrics.json").read_text())
        assert metrics["features"] == ["mfcc", "ge2e"]
        config = json.loads((out / "config.json").read_text())
        if setting == "single":
            assert config["settings"]["train"]["epochs"] == 2
        else:
            assert config["baseline"]["standardise"] == "shared"
        assert metrics["domains"]["emodb"]["n_test"] == 6


def test_train_prints_json_alone_on_stdout(filled, tmp_path):
    result = ser(
        *("train", "--setting", "baseline", "--corpus", "emodb", "--cache", filled, "--json"),
        *("--out", tmp_path / "run"),
    )
    assert json.loads(result.stdout) == json.loads((tmp_path / "run" / "metrics.json").read_text())


def test_listings_as_json(filled, corpora, tmp_path):
    rows = json.loads(ser("cache", "ls", "--cache", filled, "--json").stdout)
    assert {(row["feature"], row["utterances"]) for row in rows} == {("mfcc", 28), ("ge2e", 28)}
    known = json.loads(ser("corpora", "--cache", filled, "--json").stdout)
    assert {row["name"] for row in known if row["cached"]} == {"emodb"}
    assert json.loads(ser("cache", "verify", "--cache", filled, "--json").stdout)["whole"] is True
    manifest = tmp_path / "emodb.csv"
    ser("manifest", "build", "--corpus", "emodb", "--root", corpora["emodb"], "--out", manifest)
    assert json.loads(ser("manifest", "check", manifest, "--json").stdout)["utterances"] == 28


def test_a_flipped_byte_is_found_and_never_trained_on(cache, tmp_path):
    shard = next(cache.glob("features/mfcc-*/*.h5"))
    content = bytearray(shard.read_bytes())
    content[len(content) // 2] ^= 1
    shard.write_bytes(content)
    verified = ser("cache", "verify", "--cache", cache)
    assert verified.exit_code == 1
    assert str(shard) in verified.stdout
    trained = ser(
        *("train", "--setting", "baseline", "--corpus", "emodb", "--cache", cache),
        *("--out", tmp_path / "run"),
    )
    refused(trained, 1, shard.name)
    assert not (tmp_path / "run").exists()


def test_a_cache_works_elsewhere_without_audio_and_merges_by_copying(filled, corpora, tmp_path):
    other = tmp_path / "other"
    assert not ser(
        "extract", "--corpus", "iemocap", "--root", corpora["iemocap"], "--cache", other
    ).exit_code
    shutil.copytree(filled, other, dirs_exist_ok=True)
    assert ser("cache", "verify", "--cache", other).exit_code == 0
    for corpus in ("emodb", "iemocap"):
        result = ser(
            *("train", "--setting", "baseline", "--corpus", corpus, "--cache", other),
            *("--out", tmp_path / corpus),
        )
        assert result.exit_code == 0, result.output


def test_corrected_labels_stay(cache, corpora):
    path = cache / "manifests" / "emodb.csv"
    corrected = path.read_text(encoding="utf-8").replace("boredom", "neutral", 1)
    path.write_text(corrected, encoding="utf-8")
    arguments = ("extract", "--corpus", "emodb", "--root", corpora["emodb"], "--cache", cache)
    result = ser(*arguments)
    assert "other labels" in result.stderr
    assert "nothing was missing" in result.stdout
    assert path.read_text(encoding="utf-8") == corrected
    ser(*arguments, "--replace")
    assert path.read_text(encoding="utf-8") != corrected


def test_corrected_labels_stay_when_the_corpus_is_completed(corpora, tmp_path):
    files = sorted((corpora["emodb"] / "wav").glob("*.wav"))
    root = tmp_path / "growing"
    (root / "wav").mkdir(parents=True)
    for path in files[:20]:
        shutil.copy(path, root / "wav")
    arguments = ("extract", "--corpus", "emodb", "--root", root, "--cache", tmp_path / "cache")
    assert ser(*arguments, "--features", "mfcc").exit_code == 0
    path = tmp_path / "cache" / "manifests" / "emodb.csv"
    path.write_text(path.read_text("utf-8").replace(",anger,", ",disgust,", 1), "utf-8")
    anger = path.read_text("utf-8").count(",anger,")
    for audio in files[20:]:
        shutil.copy(audio, root / "wav")
    result = ser(*arguments, "--features", "mfcc")
    assert "8 utterances are added to the 20 there" in result.stderr
    assert "28 of 28 cached, 8 new" in result.stdout
    added = sum(1 for audio in files[20:] if audio.stem[5] == "W")
    assert path.read_text("utf-8").count(",anger,") == anger + added


def test_a_part_of_a_corpus_does_not_replace_the_whole(cache, corpora, tmp_path):
    part = tmp_path / "part" / "wav"
    part.mkdir(parents=True)
    for path in sorted((corpora["emodb"] / "wav").glob("*.wav"))[:7]:
        shutil.copy(path, part)
    result = ser("extract", "--corpus", "emodb", "--root", part.parent, "--cache", cache)
    assert result.exit_code == 0
    assert "has 28 utterances, these 7 among them" in result.stderr
    assert json.loads(ser("cache", "ls", "--cache", cache, "--json").stdout)[0]["utterances"] == 28


def test_another_copy_of_a_corpus_is_refused(cache, corpora, tmp_path):
    changed = tmp_path / "changed"
    shutil.copytree(corpora["emodb"], changed)
    for number, path in enumerate(sorted((changed / "wav").glob("*.wav"))[:2]):
        samples, rate = soundfile.read(path)
        soundfile.write(path, samples * (0.5 + number / 4), rate)
    before = (cache / "manifests" / "emodb.csv").read_bytes()
    result = ser("extract", "--corpus", "emodb", "--root", changed, "--cache", cache)
    refused(result, 2, "another copy", "2 of its 28 utterances", "--replace")
    assert (cache / "manifests" / "emodb.csv").read_bytes() == before


# Bad input


def test_an_empty_folder_and_a_wrong_root(tmp_path, corpora):
    empty = tmp_path / "empty"
    empty.mkdir()
    for root, says in (
        (empty, "wav/03a01Fa.wav"),
        (corpora["cafe"], "wav/03a01Fa.wav"),
        (tmp_path / "nowhere", "no such folder"),
    ):
        result = ser("extract", "--corpus", "emodb", "--root", root, "--cache", tmp_path / "c")
        refused(result, 2, says)
    assert not (tmp_path / "c" / "features").exists()


def test_no_root_at_all(tmp_path):
    refused(ser("extract", "--corpus", "emodb", "--cache", tmp_path), 2, "SER_EMODB_ROOT")


def own_corpus(folder: Path) -> Path:
    """Eight tones of 16 kHz, one third of a second each, and their CSV."""
    folder.mkdir()
    random = np.random.default_rng(0)
    rows = []
    for number in range(8):
        seconds = np.arange(5600) / 16000
        tone = 0.3 * np.sin(2 * np.pi * (200 + 50 * number) * seconds) * np.hanning(5600)
        tone = tone + 0.003 * random.normal(size=5600)
        soundfile.write(folder / f"t{number}.wav", tone, 16000)
        rows.append({"path": f"t{number}.wav", "emotion": ("fear", "anger")[number % 2]})
    return write_rows(folder / "mine.csv", rows)


def write_rows(path: Path, rows: list[dict[str, str]]) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def extract_own(listing: Path, cache: Path, *more: str):
    return ser(
        *("extract", "--corpus", "mine", "--csv", listing, "--language", "pt"),
        *("--features", "mfcc", "--cache", cache, *more),
    )


def test_the_manifest_of_a_corpus_does_not_replace_the_csv_it_was_built_from(tmp_path):
    listing = own_corpus(tmp_path / "mine")
    before = listing.read_bytes()
    build = ("manifest", "build", "--corpus", "mine", "--csv", listing, "--language", "pt")
    refused(ser(*build, "--out", listing), 2, "would replace the file of --csv")
    assert listing.read_bytes() == before
    assert ser(*build, "--out", tmp_path / "built.csv").exit_code == 0


def test_no_other_file_is_replaced_by_a_manifest(tmp_path):
    listing = own_corpus(tmp_path / "mine")
    audio = listing.parent / "t0.wav"
    build = ("manifest", "build", "--corpus", "mine", "--csv", listing, "--language", "pt")
    before = audio.read_bytes()
    refused(ser(*build, "--out", audio), 2, "is there and would be replaced", "--overwrite")
    assert audio.read_bytes() == before
    made = tmp_path / "made.csv"
    assert ser(*build, "--out", made).exit_code == 0
    assert ser(*build, "--out", made).exit_code == 0  # the same again
    whole = made.read_text()
    made.write_text(re.sub(r",[\w-]{63}$|,fingerprint$", "", whole, flags=re.MULTILINE))
    assert made.read_text() != whole
    assert ser(*build, "--out", made).exit_code == 0  # as it was without fingerprints
    assert made.read_text() == whole
    corrected = made.read_text().replace("fear", "anger", 1)
    made.write_text(corrected)
    refused(ser(*build, "--out", made), 2, "--overwrite")
    assert made.read_text() == corrected
    assert ser(*build, "--out", made, "--overwrite").exit_code == 0
    refused(ser(*build, "--out", ""), 2, "is empty")


def test_labels_in_the_cache_stay_where_the_audio_is_not_found(tmp_path):
    listing = own_corpus(tmp_path / "mine")
    cache = tmp_path / "cache"
    assert extract_own(listing, cache).exit_code == 0
    labels = (cache / "manifests" / "mine.csv").read_bytes()
    part = tmp_path / "part.csv"
    part.write_bytes(b"\n".join(labels.splitlines()[:-2]) + b"\n")
    given = ("extract", "--corpus", "mine", "--manifest", part, "--features", "mfcc")
    refused(ser(*given, "--cache", cache), 2, "where is mine")
    refused(ser(*given, "--cache", cache, "--root", tmp_path / "else"), 2, "no such folder")
    (tmp_path / "else").mkdir()
    refused(ser(*given, "--cache", cache, "--root", tmp_path / "else"), 2, "has none of the files")
    assert (cache / "manifests" / "mine.csv").read_bytes() == labels
    other = [*("extract", "--corpus", "mine", "--csv", listing, "--features", "mfcc")]
    result = ser(*other, "--language", "de", "--cache", cache)
    refused(result, 2, "as pt, and is de here", "--replace")
    assert (cache / "manifests" / "mine.csv").read_bytes() == labels


@pytest.fixture
def own_memory(monkeypatch, tmp_path):
    """Nothing is known of earlier runs."""
    monkeypatch.setattr(ProbeCache, "default", lambda: ProbeCache(tmp_path / "memory"))


def test_bad_audio_does_not_stop_the_rest(tmp_path, own_memory):
    listing = own_corpus(tmp_path / "mine")
    folder = listing.parent
    whole = (folder / "t0.wav").read_bytes()
    (folder / "t0.wav").write_bytes(whole[: len(whole) // 2])
    (folder / "t1.wav").write_text("this is no audio at all, but a text")
    soundfile.write(folder / "t2.wav", np.zeros(16000), 16000)
    soundfile.write(folder / "t3.wav", 0.1 * np.ones(160), 16000)
    samples, _ = soundfile.read(folder / "t4.wav")
    soundfile.write(folder / "t4.wav", np.stack([samples, samples / 2], axis=1), 16000)
    soundfile.write(folder / "t5.wav", samples[::2], 8000)
    soundfile.write(folder / "t6.wav", np.repeat(samples, 12), 192000)
    result = extract_own(listing, tmp_path / "cache")
    assert result.exit_code == BAD_FILES == 3, result.output
    assert "mine mfcc: 4 of 4 cached, 4 new" in result.stdout
    assert "4 bad files" in result.stderr
    reasons = {
        line.split(":")[0].strip(): line for line in result.stderr.splitlines() if ".wav:" in line
    }
    assert sorted(reasons) == ["t0.wav", "t1.wav", "t2.wav", "t3.wav"]
    for name, word in (
        ("t0", "truncated"),
        ("t1", "not recognised"),
        ("t2", "silen"),
        ("t3", "short"),
    ):
        assert word in reasons[f"{name}.wav"].lower()
    # They are known by now; what is new is listed, and the exit code says so.
    again = extract_own(listing, tmp_path / "cache")
    assert again.exit_code == 0, again.output
    assert "4 bad files, known before" in again.stderr
    assert ".wav:" not in again.stderr
    (folder / "t5.wav").write_text("no audio either")
    worse = extract_own(listing, tmp_path / "cache")
    assert worse.exit_code == BAD_FILES
    assert "1 bad file, left out:\n  t5.wav" in worse.stderr
    assert "4 more bad files, known before" in worse.stderr
    build = ("manifest", "build", "--corpus", "mine", "--csv", listing, "--language", "pt")
    built = ser(*build, "--out", tmp_path / "list.csv")
    assert (built.exit_code, "5 bad files, known before" in built.stderr) == (0, True)
    # A file that changed and is still bad is another bad file.
    (folder / "t1.wav").write_text("another text")
    assert ser(*build, "--out", tmp_path / "list.csv").exit_code == BAD_FILES
    assert ser("cache", "verify", "--cache", tmp_path / "cache").exit_code == 0


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        ([{"path": "t0.wav", "mood": "fear"}], "emotion"),
        ([{"path": "t0.wav", "emotion": "joyfulness"}], "joyfulness"),
        (
            [
                {"id": "a", "path": "t0.wav", "emotion": "fear"},
                {"id": "a", "path": "t1.wav", "emotion": "fear"},
            ],
            "'a'",
        ),
        ([{"path": "../secret.wav", "emotion": "fear"}], "../secret.wav"),
    ],
)
def test_a_bad_csv_is_told_with_its_line(tmp_path, rows, says):
    listing = own_corpus(tmp_path / "mine")
    write_rows(listing, rows)
    refused(extract_own(listing, tmp_path / "cache"), 2, says, "line")


def test_unknown_names(filled, corpora, tmp_path):
    emodb = ("--corpus", "emodb", "--root", corpora["emodb"], "--cache", filled)
    refused(ser("extract", *emodb, "--features", "mfc"), 2, "mfcc")
    refused(ser("extract", *emodb, "--features", "mfcc:hop=3"), 2, "hop_length")
    refused(ser("extract", "--corpus", "emodbb", "--cache", tmp_path), 2, "emodb")
    train = ("train", "--setting", "single", "--corpus", "emodb", "--cache", filled)
    refused(ser(*train, "--set", "train.lrr=1"), 2, "train.lr")
    refused(ser(*train, "--preset", "stong"), 2, "strong")
    refused(ser(*train, "--device", "warp"), 2, "warp")
    refused(ser(*train, "--features", "mfcc,,ge2e"), 2, "--features")
    baseline = ("train", "--setting", "baseline", *train[3:])
    refused(ser(*baseline, "--set", "train.lr=1"), 2, "reads only model.standardise")
    refused(ser(*baseline, "--method", "svm", "--set", "train.refit=true"), 2, "no settings")
    refused(ser("cache", "rm", "mfc", "--cache", filled), 2, "mfcc")


def test_training_on_what_is_not_cached_names_the_command(filled, tmp_path):
    train = ("train", "--setting", "single", "--out", tmp_path / "run", "--cache")
    result = ser(*train, filled, "--corpus", "emodb", "--features", "mfcc,byol")
    refused(result, 2, f"ser extract --corpus emodb --root DIR --features byol --cache {filled}")
    refused(ser(*train, tmp_path, "--corpus", "emodb"), 2, "ser extract --corpus emodb")
    refused(ser(*train, filled, "--corpus", "cafe"), 2, "ser extract --corpus cafe")


def test_the_command_that_is_named_for_a_corpus_of_one_s_own_works(tmp_path):
    listing = own_corpus(tmp_path / "mine")
    cache = tmp_path / "a cache"
    assert extract_own(listing, cache).exit_code == 0
    train = ("train", "--setting", "baseline", "--corpus", "mine", "--cache", cache)
    result = ser(*train, "--features", "mfcc,mfcc:n_fft=512", "--out", tmp_path / "run")
    named = result.stderr.partition("Run: ser ")[2].replace("DIR", str(listing.parent))
    assert ser(*shlex.split(named)).exit_code == 0
    again = ser(*train, "--features", "mfcc,mfcc:n_fft=512", "--out", tmp_path / "run")
    assert again.exit_code == 0, again.output


def test_a_damaged_manifest_can_be_replaced(cache, corpora):
    path = cache / "manifests" / "emodb.csv"
    path.write_text("a,b\n1,2\n")
    arguments = ("extract", "--corpus", "emodb", "--root", corpora["emodb"], "--cache", cache)
    refused(ser(*arguments), 2, "--replace")
    assert "damaged manifest" in ser(*arguments, "--replace").stderr
    assert "nothing was missing" in ser(*arguments).stdout


def test_a_manifest_alone_does_not_say_where_the_audio_is(cache):
    manifest = cache / "manifests" / "emodb.csv"
    result = ser("extract", "--corpus", "emodb", "--manifest", manifest, "--cache", cache)
    refused(result, 2, "where is emodb?", "SER_EMODB_ROOT")


def test_protocol_speaker_without_speakers(tmp_path):
    listing = own_corpus(tmp_path / "mine")
    assert extract_own(listing, tmp_path / "cache").exit_code == 0
    result = ser(
        *("train", "--setting", "baseline", "--corpus", "mine", "--features", "mfcc"),
        *("--protocol", "speaker", "--cache", tmp_path / "cache", "--out", tmp_path / "run"),
    )
    refused(result, 2, "speaker", "--protocol paper")


def read_only(folder: Path) -> bool:
    """Take the right to write away; False where that does not hold (Windows, root)."""
    for path in [folder, *folder.rglob("*")]:
        path.chmod(0o555 if path.is_dir() else 0o444)
    try:
        (folder / "probe").touch()
    except OSError:
        return True
    (folder / "probe").unlink()
    return False


def test_a_read_only_cache_can_be_used_but_not_added_to(cache, corpora, tmp_path, monkeypatch):
    if not read_only(cache):
        pytest.skip("this user may write anywhere")
    try:
        emodb = ("--corpus", "emodb", "--root", corpora["emodb"], "--cache", cache)
        again = ser("extract", *emodb)
        assert again.exit_code == 0, again.output
        refused(ser("extract", *emodb, "--features", "mfcc:n_fft=512"), 1, str(cache))
        train = ("train", "--setting", "baseline", "--corpus", "emodb", "--cache", cache)
        assert ser(*train, "--out", tmp_path / "run").exit_code == 0
        assert ser("cache", "verify", "--cache", cache).exit_code == 0
    finally:
        for path in [cache, *cache.rglob("*")]:
            path.chmod(0o755)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a file size limit (POSIX)")
def test_a_full_disk_leaves_earlier_work_whole(cache, corpora):
    # A limit on the size of files fails in the same place as a disk without space.
    code = (
        "import resource, signal, sys\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))\n"
        "from ser.cli import main\n"
        "main()\n"
    )
    arguments = ["extract", "--corpus", "emodb", "--root", str(corpora["emodb"])]
    arguments += ["--cache", str(cache), "--features", "mfcc:n_fft=512", "--workers", "0"]
    result = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 1, result.stderr
    assert "Traceback" not in result.stderr
    assert "ser: " in result.stderr
    assert not list(cache.rglob(".partial-*"))
    assert ser("cache", "verify", "--cache", cache).exit_code == 0
    rows = json.loads(ser("cache", "ls", "--cache", cache, "--json").stdout)
    assert {row["feature"] for row in rows} == {"mfcc", "ge2e"}


@pytest.fixture(scope="module")
def two(tmp_path_factory, corpora, filled):
    """The cache with the French corpus beside the German."""
    cache = shutil.copytree(filled, tmp_path_factory.mktemp("two") / "cache")
    result = ser("extract", "--corpus", "cafe", "--root", corpora["cafe"], "--cache", cache)
    assert result.exit_code == 0, result.output
    return cache


QUICK = ("--set", "train.epochs=1", "--repeats", 2, "--workers", 1)


def test_one_model_for_two_languages(two, tmp_path):
    out = tmp_path / "run"
    arguments = ("train", "--setting", "multidomain", "--corpus", "emodb,cafe", "--cache", two)
    result = ser(*arguments, "--out", out, *QUICK)
    assert result.exit_code == 0, result.output
    assert "emodb (de): ours (strong with train.epochs=1) on mfcc + ge2e" in result.stdout
    assert "cafe (fr): ours (strong with train.epochs=1)" in result.stdout
    assert set(json.loads((out / "structure.json").read_text())) == {"emodb", "cafe"}
    refused(ser(*arguments, "--method", "mmoa"), 2, "unknown method 'mmoa' (did you mean 'mmoe'")
    refused(ser(*arguments, "--features", "mfcc"), 2, "at least two, not mfcc alone")
    refused(ser(*arguments[:4], "emodb,iemocap", "--cache", two), 2, "no manifest of iemocap")
    refused(ser(*arguments, "--set", "gate.selector=byol"), 2, "the gates look at byol")


def test_a_table_of_the_paper_goes_on_where_it_was(two, tmp_path):
    out = tmp_path / "out"
    arguments = ("reproduce", "table4", "--cache", two, "--out", out, "--preset", "strong", *QUICK)
    first = ser(*arguments)
    assert first.exit_code == 0, first.output
    assert "| with auxiliary loss |" in first.stdout
    assert ": repeat 1" in first.stderr
    again = ser(*arguments)
    assert again.exit_code == 0
    assert again.stderr == "8 of 8 runs were finished before\n"
    assert again.stdout == first.stdout
    refused(ser(*arguments, "--set", "train.lr=0.1"), 2, "or settings", "--overwrite")


def test_help_imports_nothing_heavy():
    code = (
        "import sys\n"
        "from click.testing import CliRunner\n"
        "from ser.cli import main\n"
        "assert CliRunner().invoke(main, ['--help']).exit_code == 0\n"
        "print({'torch', 'pandas', 'numpy', 'h5py', 'sklearn', 'librosa'} & set(sys.modules))\n"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "set()"


def test_a_traceback_only_with_debug(tmp_path):
    result = CliRunner().invoke(
        main, ["--debug", "extract", "--corpus", "x", "--cache", str(tmp_path)]
    )
    assert isinstance(result.exception, Exception)
    assert not isinstance(result.exception, SystemExit)


def test_portions_of_a_corpus_and_of_a_run(corpora, cache, tmp_path, monkeypatch):
    options = ["--corpus", "emodb", "--root", corpora["emodb"], "--cache", tmp_path / "parts"]
    for number in (2, 1):
        result = ser("extract", *options, "--features", "mfcc,ge2e", "--shard", f"{number}/2")
        assert result.exit_code == 0, result.output
        assert f"emodb {number}/2 mfcc: " in result.stdout
    assert "nothing was missing" in ser("extract", *options, "--features", "mfcc,ge2e").stdout
    train = ["train", "--setting", "baseline", "--method", "svm", "--corpus", "emodb"]
    train += ["--cache", cache, "--repeats", "2"]
    refused(ser(*train, "--shard", "1/2"), 2, "needs --out RUN")
    refused(ser(*train, "--shard", "3/2"), 2, "--shard 3/2: expected a portion such as 3/20")
    refused(ser(*train, "--shard", "slurm"), 2, "SLURM_ARRAY_TASK_ID is not set")
    for name, value in (("COUNT", 2), ("MIN", 0), ("MAX", 1), ("STEP", 1)):
        monkeypatch.setenv(f"SLURM_ARRAY_TASK_{name}", str(value))
    for number, left in ((0, True), (1, False)):
        monkeypatch.setenv("SLURM_ARRAY_TASK_ID", str(number))
        result = ser(*train, "--shard", "slurm", "--out", tmp_path / "run")
        assert result.exit_code == 0, result.output
        assert ("Whoever finds all portions finished" in result.stderr) == left
        assert ("emodb" in result.stdout) != left


def test_training_on_perturbed_recordings(corpora, cache, tmp_path):
    train = ["train", "--setting", "single", "--corpus", "emodb", "--cache", cache, *QUICK]
    train += ["--features", "mfcc,ge2e", "--set", "augment.perturb=speed1.1,noise20"]
    needed = "--features mfcc:perturb=speed1.1,ge2e:perturb=speed1.1,mfcc:perturb=noise20"
    refused(ser(*train), 2, "augment.perturb=speed1.1,noise20 needs features of perturbed", needed)
    extract = ["extract", "--corpus", "emodb", "--root", corpora["emodb"], "--cache", cache]
    refused(ser(*extract, "--perturb", "loud"), 2, "expected speed or pitch or noise")
    result = ser(*extract, "--perturb", "speed1.10,noise20")
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert [line.split(":", 1)[0] for line in lines[:2]] == ["emodb mfcc", "emodb ge2e"]
    assert "nothing was missing" in lines[0]
    assert lines[2].startswith("emodb mfcc:perturb=speed1.1: ")
    assert lines[2].endswith(" new")
    assert len(lines) == 6
    result = ser(*train, "--out", tmp_path / "run")
    assert result.exit_code == 0, result.output
    baseline = ["train", "--setting", "baseline", "--corpus", "emodb", "--cache", cache]
    result = ser(*baseline, "--set", "augment.perturb=noise20", "--repeats", "1")
    assert result.exit_code == 0, result.output
    # What is predicted of is heard as it is.
    file = next(path for path in sorted(corpora["emodb"].rglob("*.wav")))
    result = ser("predict", "--run", tmp_path / "run", file)
    assert result.exit_code == 0, result.output
