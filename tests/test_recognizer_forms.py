"""What is written of an answer."""

import csv
import io
import json
from pathlib import Path

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
    header, row = csv.reader(io.StringIO(form.header + form.lines(SOURCE, ONE)))
    assert header == ["file", "emotion", "probability", "p_neutral", "p_anger", "p_boredom"]
    assert row == [SOURCE.name, "unsure", "0.600000", "0.071200", "0.600000", "0.328800"]
    form = make_form("csv", LABELS, ids=True)
    assert form.header.startswith("file,id,emotion,")
    assert form.lines(Source("a.wav", Path(), "x"), ONE).startswith("a.wav,x,anger,0.600000,")


def test_json_lines():
    form = make_form("jsonl", LABELS, ids=True, unsure=0.5)
    text = form.header + form.lines(SOURCE, TWO)
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
    alone = json.loads(make_form("jsonl", LABELS, unsure=0.61).lines(SOURCE, ONE))
    assert list(alone) == ["file", "emotion", "probability", "probabilities"]
    assert (alone["emotion"], alone["probability"]) == ("unsure", 0.6)


def test_table():
    form = make_form("table", LABELS, widest=10)
    source = Source("a.wav", Path())
    assert form.header + form.lines(source, ONE) == (
        "file        emotion  p     next\na.wav       anger    .60   boredom .33, neutral .07\n"
    )
    assert form.lines(source, TWO).endswith(
        "neutral  .50   anger .25, boredom .25  (emodb: anger .50; ravdess: neutral 1.0)\n"
    )
    unsure = make_form("table", LABELS, unsure=0.9, widest=10).lines(source, ONE)
    assert unsure == "a.wav       unsure   .60   anger .60, boredom .33\n"
