"""What is written of an answer."""

import csv
import io
import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np

from ser.recognizer.forms import make_form
from ser.recognizer.recognizer import Answer
from ser.recognizer.sources import Source

LABELS = ("neutral", "anger", "boredom")
ONE = Answer(LABELS, np.array([0.0712, 0.6, 0.3288]), {"emodb": {}})
TWO = Answer(
    LABELS,
    np.array([0.5, 0.25, 0.25]),
    {"emodb": {"anger": 0.5, "boredom": 0.5}, "ravdess": {"neutral": 1.0, "anger": 0.0}},
)
SOURCE = Source('a "b",\n.wav', Path("x"), "17")


def test_csv():
    form = make_form("csv", LABELS, unsure=0.7)
    header, row = csv.reader(io.StringIO(form.header + form.line(SOURCE, ONE)))
    assert header == ["file", "emotion", "probability", "p_neutral", "p_anger", "p_boredom"]
    assert row == [SOURCE.name, "unsure", "0.600000", "0.071200", "0.600000", "0.328800"]
    form = make_form("csv", LABELS, ids=True)
    assert form.header.startswith("file,id,emotion,")
    assert form.line(Source("a.wav", Path(), "x"), ONE).startswith("a.wav,x,anger,0.600000,")


def test_json_lines():
    form = make_form("jsonl", LABELS, ids=True, unsure=0.5)
    text = form.header + form.line(SOURCE, TWO)
    assert text.count("\n") == 1
    assert json.loads(text) == {
        "file": SOURCE.name,
        "id": "17",
        "emotion": "neutral",
        "probability": 0.5,
        "probabilities": {"neutral": 0.5, "anger": 0.25, "boredom": 0.25},
        "heads": {
            "emodb": {
                "emotion": "anger",
                "probability": 0.5,
                "probabilities": {"anger": 0.5, "boredom": 0.5},
            },
            "ravdess": {
                "emotion": "neutral",
                "probability": 1.0,
                "probabilities": {"neutral": 1.0, "anger": 0.0},
            },
        },
    }
    alone = json.loads(make_form("jsonl", LABELS, unsure=0.61).line(SOURCE, ONE))
    assert list(alone) == ["file", "emotion", "probability", "probabilities"]
    assert (alone["emotion"], alone["probability"]) == ("unsure", 0.6)


def test_table():
    form = make_form("table", LABELS, widest=10)
    source = Source("a.wav", Path())
    assert form.header + form.line(source, ONE) == (
        "file        emotion  p     next\na.wav       anger    .60   boredom .33, neutral .07\n"
    )
    assert form.line(source, TWO).endswith(
        "neutral  .50   anger .25, boredom .25  (emodb: anger .50; ravdess: neutral 1.0)\n"
    )
    unsure = make_form("table", LABELS, unsure=0.9, widest=10).line(source, ONE)
    assert unsure == "a.wav       unsure   .60   anger .60, boredom .33\n"


def test_stretches():
    window = SimpleNamespace(start=1.0, end=4.0, speech=0.25)
    source = Source("a.wav", Path(), "x")
    form = make_form("csv", LABELS, ids=True, stretches=True)
    text = form.header + form.line(source, ONE, window) + form.line(source, None, window)
    assert text.splitlines() == [
        "file,id,start,end,speech,emotion,probability,p_neutral,p_anger,p_boredom",
        "a.wav,x,1.000,4.000,0.250,anger,0.600000,0.071200,0.600000,0.328800",
        "a.wav,x,1.000,4.000,0.250,,,,,",
    ]
    form = make_form("jsonl", LABELS, stretches=True)
    said = json.loads(form.line(source, ONE, window))
    assert list(said)[:4] == ["file", "start", "end", "speech"]
    assert json.loads(form.line(source, None, window)) == {
        **{"file": "a.wav", "start": 1.0, "end": 4.0, "speech": 0.25, "emotion": None}
    }
    form = make_form("table", LABELS, stretches=True)
    text = form.header + form.line(source, ONE, window) + form.line(source, None, window)
    assert [line.split()[:3] for line in text.splitlines()] == [
        *(["file", "seconds", "emotion"], ["a.wav", "1.0-4.0", "anger"], ["a.wav", "1.0-4.0", "-"])
    ]
