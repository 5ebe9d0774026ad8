"""The corpora that are synthesised: who speaks, what, and where the files lie.

Three imitate real ones, for tests of what reads those; three are a folder and a CSV.

A layout writes a script: lines in the order in which they are spoken. What the file names cannot
say (IEMOCAP's labels) it writes down afterwards, when the durations are known.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import PurePosixPath

from .acting import Speaker, cast


@dataclass(frozen=True)
class Line:
    """One utterance of the script; `path` is relative to the corpus, `label` an annotator's."""

    path: PurePosixPath
    speaker: Speaker
    emotion: str
    text: str
    strength: float = 1.0
    label: str = ""


Script = Callable[[Sequence[Speaker], Sequence[str]], list[Line]]
Annotate = Callable[[Sequence[Line], Sequence[float]], dict[PurePosixPath, str]]


@dataclass(frozen=True)
class Layout:
    """A corpus in miniature; `sentences` is how many texts of `texts` the demo lets people say.

    `script` has the lines that they speak, and `annotate`, of lines and their seconds, the text
    files of labels that belong to the corpus.
    """

    language: str
    speakers: tuple[Speaker, ...]
    texts: tuple[str, ...]
    sentences: int
    script: Script
    annotate: Annotate = lambda lines, seconds: {}


# --- EmoDB: wav/03a01Fa.wav = speaker, text, emotion, version ---

EMODB_WOMEN = (8, 9, 13, 14, 16)
EMODB_SPEAKERS = cast([(f"{n:02}", "f" if n in EMODB_WOMEN else "m") for n in (3, *range(8, 17))])
EMODB_LETTERS = {
    "neutral": "N", "happiness": "F", "anger": "W", "sadness": "T",
    "fear": "A", "boredom": "L", "disgust": "E",
}  # fmt: skip
EMODB_CODES = ("a01", "a02", "a04", "a05", "a07", "b01", "b02", "b03", "b09", "b10")
EMODB_TEXTS = (
    "Der Bus hält heute nicht an der alten Brücke.",
    "Im Keller steht noch ein Korb mit Äpfeln.",
    "Meine Schwester ruft nach dem Essen zurück.",
    "Wir nehmen morgen den Zug um kurz nach acht.",
    "Das Paket liegt seit gestern bei den Nachbarn.",
    "Am Wochenende streichen sie endlich den Zaun.",
    "Der Schlüssel hängt neben der Küchentür.",
    "Gegen Abend soll es am See noch regnen.",
    "Jemand hat das Licht im Flur brennen lassen.",
    "Nach der Pause lesen wir den zweiten Brief.",
)


def emodb_script(speakers: Sequence[Speaker], texts: Sequence[str]) -> list[Line]:
    """Every speaker, emotion and text once, all in version a."""
    return [
        Line(PurePosixPath("wav", f"{speaker.name}{code}{letter}a.wav"), speaker, emotion, text)
        for speaker in speakers
        for emotion, letter in EMODB_LETTERS.items()
        for code, text in zip(EMODB_CODES, texts, strict=False)
    ]


# --- CaFE: Colère/Fort/01-C-2-6.wav = actor, emotion, intensity, sentence ---

CAFE_SPEAKERS = cast([(f"{n:02}", "m" if n % 2 else "f") for n in range(1, 13)])
CAFE_FOLDERS = {
    "neutral": ("N", "Neutre"), "happiness": ("J", "Joie"), "anger": ("C", "Colère"),
    "sadness": ("T", "Tristesse"), "fear": ("P", "Peur"), "surprise": ("S", "Surprise"),
    "disgust": ("D", "Dégoût"),
}  # fmt: skip
CAFE_TEXTS = (
    "Le voisin a laissé son vélo devant la porte.",
    "Il reste deux places dans le train de midi.",
    "La boulangerie ouvre plus tard le dimanche.",
    "Ma cousine a trouvé une lettre sous le tapis.",
    "On a déplacé la table près de la fenêtre.",
    "Ils ont changé la couleur du grand rideau.",
)
CAFE_INTENSITIES = ((1, 0.5, "Faible"), (2, 1.0, "Fort"))


def cafe_script(speakers: Sequence[Speaker], texts: Sequence[str]) -> list[Line]:
    """Every actor, emotion and sentence, weak and strong; neutral has one intensity."""
    lines = []
    for speaker in speakers:
        for emotion, (letter, name) in CAFE_FOLDERS.items():
            for intensity, strength, subfolder in (
                ((1, 0.0, ""),) if emotion == "neutral" else CAFE_INTENSITIES
            ):
                folder = PurePosixPath(name, subfolder)
                for number, text in enumerate(texts, 1):
                    file = f"{speaker.name}-{letter}-{intensity}-{number}.wav"
                    lines.append(Line(folder / file, speaker, emotion, text, strength))
    return lines


# --- IEMOCAP: SessionN/sentences/wav/<dialog>/<turn>.wav and a label file for each dialog ---

IEMOCAP_SPEAKERS = cast(
    [(f"Ses{session:02}{letter}", letter.lower()) for session in range(1, 6) for letter in "FM"]
)
IEMOCAP_LABELS = {
    "neutral": ("neu",), "happiness": ("hap", "exc"), "anger": ("ang",), "sadness": ("sad",),
}  # fmt: skip
IEMOCAP_TEXTS = (
    "I left the tickets on the kitchen counter.",
    "They moved the meeting to the other building.",
    "The dog has been at the neighbours since noon.",
    "You said the car would be ready by Friday.",
    "My brother is going to stay another week.",
    "We could walk there before it gets dark.",
    "Somebody called about the room upstairs.",
    "The letter came back without an answer.",
    "I think the shop closes a little earlier now.",
    "She put the old photographs in that box.",
    "There is still some soup from yesterday.",
    "He wants to know about the train tomorrow.",
)
# What a rater ticks, and valence, activation and dominance on the corpus's scale of 1 to 5.
IEMOCAP_RATINGS = {
    "neu": ("Neutral", 3.0, 2.5, 3.0), "hap": ("Happiness", 4.0, 3.5, 3.0),
    "exc": ("Excited", 4.5, 4.0, 3.5), "ang": ("Anger", 2.0, 4.0, 4.0),
    "sad": ("Sadness", 2.0, 2.0, 2.5), "xxx": ("Other", 2.5, 3.0, 3.0),
}  # fmt: skip
IEMOCAP_PAUSE = 0.8  # seconds between turns


def iemocap_script(speakers: Sequence[Speaker], texts: Sequence[str]) -> list[Line]:
    """Two dialogs a session: in the first she wears the markers, in the second he does.

    Both speak in both, so that the letter after `Ses01` tells the side, not the speaker. The
    last turn of each dialog is one on which the raters did not agree: xxx, for scanners to skip.
    """
    lines = []
    for session, both in groupby(speakers, lambda speaker: speaker.name[:5]):
        partners = list(both)
        for side, letter in enumerate("FM"):
            dialog = f"{session}{letter}_impro01"
            folder = PurePosixPath(f"Session{int(session[3:])}", "sentences", "wav", dialog)
            turns = [
                (speaker, emotion, labels[number % len(labels)], text)
                for number, text in enumerate(texts)
                for index, (emotion, labels) in enumerate(IEMOCAP_LABELS.items())
                if (number + index) % 2 == side  # every emotion comes to both sides
                for speaker in partners
            ]
            turns.append((partners[0], "neutral", "xxx", texts[0]))
            spoken = Counter[str]()
            for speaker, emotion, label, text in turns:
                turn = f"{dialog}_{speaker.name[-1]}{spoken[speaker.name]:03}"
                spoken[speaker.name] += 1
                lines.append(Line(folder / f"{turn}.wav", speaker, emotion, text, label=label))
    return lines


def iemocap_labels(lines: Sequence[Line], seconds: Sequence[float]) -> dict[PurePosixPath, str]:
    """The label file of each dialog, with the raters' lines that follow every turn."""
    files: dict[PurePosixPath, str] = {}
    start = 0.0
    for line, length in zip(lines, seconds, strict=True):
        dialog = line.path.parent.name
        file = PurePosixPath(line.path.parts[0], "dialog", "EmoEvaluation", f"{dialog}.txt")
        if file not in files:
            files[file] = "% [START_TIME - END_TIME] TURN_NAME EMOTION [V, A, D]\n\n"
            start = IEMOCAP_PAUSE
        category, v, a, d = IEMOCAP_RATINGS[line.label]
        files[file] += (
            f"[{start:.4f} - {start + length:.4f}]\t{line.path.stem}\t{line.label}"
            f"\t[{v:.4f}, {a:.4f}, {d:.4f}]\n"
            f"C-E1:\t{category};\t()\n"
            f"A-E1:\tval {v:.0f}; act {a:.0f}; dom {d:.0f};\t()\n\n"
        )
        start += length + IEMOCAP_PAUSE
    return files


# --- a corpus of one's own: <speaker>/<emotion>-1.wav, and labels.csv ---

LABELS = "labels.csv"


def own_script(emotions: Collection[str]) -> Script:
    """Every speaker, emotion and text once."""

    def script(speakers: Sequence[Speaker], texts: Sequence[str]) -> list[Line]:
        return [
            Line(PurePosixPath(speaker.name, f"{emotion}-{number}.wav"), speaker, emotion, text)
            for speaker in speakers
            for emotion in emotions
            for number, text in enumerate(texts, 1)
        ]

    return script


def own_labels(lines: Sequence[Line], seconds: Sequence[float]) -> dict[PurePosixPath, str]:
    """One CSV of all files."""
    rows = [f"{line.path},{line.speaker.name},{line.emotion}\n" for line in lines]
    return {PurePosixPath(LABELS): "".join(["path,speaker,emotion\n", *rows])}


IMITATIONS: Mapping[str, Layout] = {
    "emodb": Layout("de", EMODB_SPEAKERS, EMODB_TEXTS, 3, emodb_script),
    "cafe": Layout("fr", CAFE_SPEAKERS, CAFE_TEXTS, 3, cafe_script),
    "iemocap": Layout("en-us", IEMOCAP_SPEAKERS, IEMOCAP_TEXTS, 5, iemocap_script, iemocap_labels),
}
OWN: Mapping[str, Layout] = {
    f"synthetic-{name}": Layout(
        like.language, like.speakers, like.texts, like.sentences, own_script(emotions), own_labels
    )
    for name, like, emotions in (
        ("german", IMITATIONS["emodb"], EMODB_LETTERS),
        ("french", IMITATIONS["cafe"], CAFE_FOLDERS),
        ("english", IMITATIONS["iemocap"], IEMOCAP_LABELS),
    )
}
LAYOUTS = {**IMITATIONS, **OWN}
