"""The one emotion vocabulary, and how a user's corpus adds to it.

The words are nouns, as audformat has them. A corpus of one's own may use further emotions, but only
those that it declares, so that a slip of the pen never becomes a class of its own.
"""

from __future__ import annotations

import difflib
import re
import shlex
import unicodedata
from collections.abc import Iterable, Mapping

from ..errors import InputError, did_you_mean, listing
from .missing import is_missing
from .spellings import REMEDY, spelling, spelt_twice
from .text import alike, plain

EMOTIONS: tuple[str, ...] = (
    "neutral",
    "happiness",
    "anger",
    "sadness",
    "fear",
    "boredom",
    "disgust",
    "surprise",
    "calm",
    "contempt",
    "excitement",
    "enthusiasm",
    "amusement",
    "pleasure",
    "anxiety",
    "concern",
    "disappointment",
    "pain",
    "sleepiness",
    "sarcasm",
    "apology",
    "assertiveness",
    "encouragement",
)
"""Common ones first; the order is that of labels everywhere."""

SYNONYMS: Mapping[str, str] = {
    "happy": "happiness",
    "joy": "happiness",
    "angry": "anger",
    "sad": "sadness",
    "fearful": "fear",
    "afraid": "fear",
    "bored": "boredom",
    "disgusted": "disgust",
    "surprised": "surprise",
    "calmness": "calm",
    "excited": "excitement",
    "enthusiastic": "enthusiasm",
    "amused": "amusement",
    "pleased": "pleasure",
    "anxious": "anxiety",
    "concerned": "concern",
    "disappointed": "disappointment",
    "sleepy": "sleepiness",
    "sarcastic": "sarcasm",
    "apologetic": "apology",
    "assertive": "assertiveness",
    "encouraging": "encouragement",
}
"""Words that can mean only one emotion of the vocabulary."""

_LONGEST = 32
_OPPOSITES = ("un", "non", "not", "in", "dis", "anti", "no", "mis", "counter")
"""Beginnings that make another word of a word: `unhappiness` is no slip for `happiness`."""

LEFT_OUT = ""
"""What a declared word stands for whose rows are left out."""


def normalise(word: str) -> str:
    """One form (see `plain`) and lower case, so that `Angst`, `angst ` and `ANGST` are one."""
    return unicodedata.normalize("NFC", plain(word).lower())


def ordered(emotions: Iterable[str]) -> tuple[str, ...]:
    """Sort distinct emotions: the vocabulary's in its order, then others by alphabet."""
    present = set(emotions)
    return (*(name for name in EMOTIONS if name in present), *sorted(present - {*EMOTIONS}))


def problem_with_emotion(emotion: str) -> str | None:
    """Say why `emotion` cannot stand in a manifest; None if it can.

    The vocabulary's emotions can. So can another word in lower case, unless it means that the
    emotion is not known, is a synonym of the vocabulary or is nearly spelt like it: that is taken
    for a mistake. A word of several parts (`surprise-negative`) is no mistake, nor is an opposite.
    """
    if emotion in EMOTIONS:
        return None
    if is_missing(emotion):
        return f"the emotion is missing{f' ({emotion!r})' if emotion else ''}"
    if not _is_name(emotion) or emotion != normalise(emotion):
        return f"{emotion!r} is no name of an emotion: use one word in lower case"
    near = SYNONYMS.get(emotion) or _slip(emotion)
    return f"unknown emotion {emotion!r} (did you mean {near!r}?)" if near else None


def _slip(word: str) -> str | None:
    """The emotion of the vocabulary that `word` is nearly spelt like, if that seems a mistake."""
    if len(_parts(word)) != 1 or _is_opposite(word):
        return None
    return next(iter(difflib.get_close_matches(word, EMOTIONS, n=1, cutoff=0.8)), None)


def _abbreviated(word: str) -> str | None:
    """The first emotion of the vocabulary that begins with the three letters or more of `word`."""
    return next((name for name in EMOTIONS if len(word) >= 3 and name.startswith(word)), None)


def _is_opposite(word: str) -> bool:
    """Whether `word` is one that says the opposite of an emotion, such as `unhappy`."""
    return any(
        word.startswith(opposite)
        and difflib.get_close_matches(word.removeprefix(opposite), (*EMOTIONS, *SYNONYMS), 1, 0.8)
        for opposite in _OPPOSITES
    )


def _is_name(word: str) -> bool:
    """Whether a word has only letters, digits, '-' and '_', begins with a letter and is short."""
    bare = "".join(character for character in word if not _is_mark(character))
    return len(word) <= _LONGEST and bool(re.fullmatch(r"[^\W\d_][\w-]*", bare))


def _is_mark(character: str) -> bool:
    """Whether a character belongs to the letter before, as vowels do in Hindi and Thai."""
    return unicodedata.category(character)[0] == "M"


def _parts(word: str) -> list[str]:
    """The parts of a word that have letters: `surprise-neg2` has two."""
    letters = (c if c.isalpha() or _is_mark(c) else " " for c in word)
    return "".join(letters).split()


def parse_declarations(text: str) -> dict[str, str]:
    """Read a user's own words: `awe,Ärger=anger,xxx=`.

    That adds `awe`, reads `ärger` as anger and leaves out the rows that say `xxx`. A word that
    means "not known" (`nan=`) leaves out all rows whose emotion is not known.

    Returns what is written, in the form that `read_emotion` compares, to the emotion that it stands
    for, or `LEFT_OUT`.

    Raises:
        InputError: what is declared cannot be an emotion, is one of the vocabulary's under nearly
            the same name, or a word is given two meanings.
    """
    declared: dict[str, str] = {}
    for item in filter(None, map(plain, text.split(","))):
        written, equals, meant = (normalise(part) for part in item.partition("="))
        word = alike(written)
        problem = _problem_with_declaration(written, equals, meant)
        emotion = meant if equals else written
        if problem is None and declared.get(word, emotion) != emotion:
            before = declared[word] or "left out"
            problem = f"{written!r} is given two meanings, {before!r} and {emotion or 'left out'!r}"
        if problem:
            raise InputError(f"emotions={text!r}: {problem}")
        declared[word] = emotion
        if emotion == LEFT_OUT and is_missing(written):
            declared[LEFT_OUT] = LEFT_OUT
    for emotion in [name for name in declared.values() if name != LEFT_OUT]:
        declared.setdefault(alike(emotion), emotion)
    if twice := spelt_twice("emotion", sorted({name for name in declared.values() if name})):
        raise InputError(f"emotions={text!r}: {twice[0][1]}. {REMEDY}")
    return declared


def _problem_with_declaration(written: str, equals: str, meant: str) -> str | None:
    if not written:
        return "no word stands before '='; write word=emotion"
    if "=" in meant:
        return f"'{written}={meant}' has more than one '='; write word=emotion, or word= alone"
    if equals and not meant:
        return None
    emotion = meant if equals else written
    if is_missing(emotion):
        return (
            f"{emotion!r} means that the emotion is not known, and is no emotion; to leave out "
            f"the rows that say so, write {written}="
        )
    reason = problem_with_emotion(emotion)
    return reason and (
        f"{reason}; to read a word of the corpus as an emotion of the vocabulary, write "
        f"word=emotion, such as {option_for([emotion], '')}; an emotion of its own needs a name of "
        "its own, such as other-anger"
    )


def read_emotion(written: str, declared: Mapping[str, str]) -> str:
    """Give the emotion that `written` stands for, by declaration, vocabulary or synonym.

    Returns `LEFT_OUT` where a declaration says so.

    Raises:
        ValueError: no such emotion, or it is missing.
    """
    word, form = normalise(written), alike(written)
    if form and form in declared:
        return declared[form]
    if is_missing(word):
        if LEFT_OUT in declared:
            return LEFT_OUT
        raise ValueError(f"the emotion is missing{f' ({word!r})' if word else ''}")
    if form in EMOTIONS or form in SYNONYMS:
        return SYNONYMS.get(form, form)
    choices = dict.fromkeys((*EMOTIONS, *SYNONYMS, *filter(None, declared)))
    near = "" if _is_opposite(word) else did_you_mean(word, choices)
    raise ValueError(f"unknown emotion {word!r}{near}")


def advice(written: str) -> tuple[str, str] | None:
    """What a word that `read_emotion` refused could be declared as: the word, and the emotion.

    A slip or an abbreviation is read as what was meant, a word that can be an emotion is one, one
    that cannot gets a name that can, and one that means "not known" is `LEFT_OUT`. None: no option
    can say it.
    """
    word = normalise(written)
    if "," in word or "=" in word or not word.isprintable():
        return None
    if is_missing(word):
        return word or "missing", LEFT_OUT
    near = SYNONYMS.get(word) or _slip(word) or _abbreviated(word)
    if near or problem_with_emotion(word) is None:
        return word, near or word
    name = "-".join(_parts(word))
    digits = "-".join(re.findall(r"\d+", word))
    name = (name or (f"label-{digits}" if digits else ""))[:_LONGEST].strip("-")
    return word, (_slip(name) or name) if name and not is_missing(name) else LEFT_OUT


def option_for(words: Iterable[str], given: str) -> str:
    """A value of the option `emotions`, `given` so far, with which all `words` are read that
    `read_emotion` refused, as far as it can say that."""
    declared = parse_declarations(given)
    names = {spelling(name): name for name in (*EMOTIONS, *filter(None, declared.values()))}
    items: dict[str, str] = {}
    for word, emotion in filter(None, map(advice, words)):
        name = names.setdefault(spelling(emotion), emotion) if emotion else LEFT_OUT
        if is_missing(word):
            items.setdefault(LEFT_OUT, "missing=")
        else:
            items.setdefault(alike(word), word if word == name else f"{word}={name}")
    return ",".join(filter(None, (plain(given).strip(","), *items.values())))


def remedy(refused: list[str], given: str) -> str:
    """How to have words read that `read_emotion` refused: see `option_for`."""
    known = ordered(filter(None, (*EMOTIONS, *parse_declarations(given).values())))
    lines = [f"Known are {', '.join(known)}."]
    if any(map(advice, refused[:20])):
        option = shlex.quote(f"emotions={option_for(refused[:20], given)}")
        lines.append(
            f"This option reads the others: --option {option}\n"
            "There, word=emotion reads a word as an emotion, a word alone adds it as an emotion of "
            "its own, and word= leaves its rows out."
        )
    if others := [word for word in refused if advice(word) is None]:
        lines.append(
            f"Write {listing(map(repr, others))} in the table without ',', '=' and what cannot be "
            "printed."
        )
    if len(refused) > 20:
        lines.append(f"There are {len(refused)} such words: is 'emotion' the right column?")
    return "\n".join(lines)
