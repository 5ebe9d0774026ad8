"""The ways in which tables write that something is not known: the one place that decides.

Nothing that is written here is ever a person, a gender, a language or an emotion: two rows that
say `nan` have nothing in common. Case, accents, blanks, punctuation and brackets make no difference
(`N/A`, `n. a.`, `<NA>`), and a cell without letter or digit (`-`, `??`, `...`) says nothing either.

Some of the words are names of people too (Nan, Nat, Nil, Null). They are taken for missing all the
same, and are named with their count whenever that is done: a person who is lost is seen, while a
crowd that passes for one person is not. Initials and short names that a table only sometimes means
so (`ND`, `KA`, `DK`, `x`) are left alone.
"""

from __future__ import annotations

import re
import unicodedata

from .text import alike, plain

_LONGEST = 1000  # characters; nobody says so at such a length that something is not known
_SHORT = 5  # letters below which accents make another word


def _letters(word: str) -> str:
    """The letters, digits and pictures of a word in any case; long ones without accents."""
    if word.isascii():
        return re.sub("[^a-z0-9]", "", alike(word))
    kept = [
        letter
        for letter in unicodedata.normalize("NFC", alike(word))
        if (kind := unicodedata.category(letter))[0] in "LMN"
        or (kind == "So" and letter != "\ufffd")
    ]
    if all(unicodedata.category(letter)[0] == "M" for letter in kept):
        return ""
    # Accents are often left out. Short words are other words with them: Nán is a name.
    if len(kept) >= _SHORT:
        decomposed = unicodedata.normalize("NFD", "".join(kept))
        kept = [letter for letter in decomposed if unicodedata.category(letter) != "Mn"]
    return "".join(kept)


_WORDS = (
    # pandas, numpy, R, Julia, MATLAB, SPSS, SQL, JSON, Lisp, Go, Perl, Praat, Kaldi
    "nan nat na none null nil nanind nannanq qnan snan 1qnan 1snan 1ind nanull pdna npnan numpynan "
    "nacharacter nainteger nareal nalogical undefined undef sysmis systemmissing missing nothing "
    "unk unknown unkn unknow unkown unknwon uknown oov "
    # English
    "undetermined unspecified unidentified unidentifiable unassigned unlabelled unlabeled "
    "unavailable unnamed unknowable unrecorded unreported undisclosed undeclared notknown "
    "notavailable notapplicable notspecified notgiven notprovided notstated notset notrecorded "
    "notreported notdefined notdetermined notdisclosed notidentified notassigned notlabelled "
    "notlabeled notannotated nodata novalue noinformation noinfo noanswer noresponse nolabel "
    "nospeaker nobody noone noname noid nameless anonymous anon blank empty tba tbd tobedetermined "
    "tobeannounced dontknow donotknow prefernottosay unknownspeaker speakerunknown spkunk unkspk "
    "unknownperson unknowngender unknownemotion unknownlanguage unknownsession "
    # German
    "unbekannt unbekannte unbekannter unbekanntes nichtbekannt unbestimmt unbenannt keine keiner "
    "keineangabe keineangaben keinedaten keinwert ohneangabe ohneangaben nichtangegeben "
    "nichtverfugbar nichtverfuegbar nichtvorhanden nichtzutreffend weissnicht fehlt fehlend anonym "
    # French
    "inconnu inconnue inconnus inconnues nonconnu nonrenseigne nonrenseignee nonspecifie "
    "nonspecifiee nonprecise nonprecisee nondefini nondefinie nondisponible nonapplicable "
    "nonattribue indefini indefinie indetermine indeterminee aucun aucune manquant manquante vide "
    "anonyme sansnom pasdedonnees "
    # Spanish, Italian, Portuguese, Catalan
    "desconocido desconocida noconocido noconocida ninguno ninguna ningun nulo nula sindato "
    "sindatos sinnombre sininformacion sinespecificar nodisponible noespecificado noespecificada "
    "noaplica noaplicable nodefinido indefinido indefinida indeterminado indeterminada vacio "
    "faltante sconosciuto sconosciuta ignoto ignota nonnoto nonnota nessuno nessuna nullo nulla "
    "nondisponibile nonspecificato nonspecificata nonapplicabile nondefinito indefinito indefinita "
    "mancante vuoto senzanome desconhecido desconhecida nenhum nenhuma naodisponivel naoinformado "
    "naoinformada naoespecificado naoespecificada naoaplicavel naodefinido naosei semdados semdado "
    "seminformacao semnome vazio vazia ausente desconegut desconeguda anonimo anonima "
    # Dutch, Scandinavian, Finnish, Polish, Czech, Hungarian, Romanian, Turkish, Indonesian
    "onbekend onbekende nietbekend nietbeschikbaar ontbreekt naamloos okand okant ukendt ukjent "
    "tuntematon eitiedossa nieznany nieznana nieznane brak brakdanych neznamy neznama "
    "nezname neznamo ismeretlen necunoscut necunoscuta bilinmiyor bilinmeyen belirsiz "
    "tidakdiketahui khongro khongbiet "
    # Russian, Ukrainian, Greek, Arabic, Hebrew, Persian, Hindi, Chinese, Japanese, Korean
    "неизвестно неизвестный неизвестная неизвестное неизвестен неизвестна нетданных неуказано "
    "неуказан неуказана невідомо невідомий невідома αγνωστο αγνωστος αγνωστη غيرمعروف مجهول "
    "غيرمتوفر לאידוע ناشناس نامعلوم अज्ञात 未知 不明 不详 不詳 未详 未定 无 無 未标注 "
    "未设定 未設定 なし 不明者 미상 없음 불명 모름 알수없음"
)

WORDS: frozenset[str] = frozenset(map(_letters, _WORDS.split()))

LANGUAGES = frozenset(("und", "mis", "zxx"))
"""ISO 639 codes that name no language: undetermined, uncoded, none. `mul` says that there are
several."""

_WRITTEN = frozenset(
    ("#n/a n/a", "\\n", "#nv", "#n/d", "n/d", "s/d", "n/k", "n/c", "n/s", "d/k", "#getting_data")
)
"""Where the punctuation matters; in lower case."""

_EXACT = frozenset(("k.A.", "k.A", "o.A.", "k.Angabe", "k.Angaben"))
"""German `keine Angabe`, and no initials; without blanks."""

_PATTERNS = re.compile(
    r"#[¡¿]?[\w/]+[!?]"  # what formulas of spreadsheets say, in any language: #REF!, #¡VALOR!
    r"|err:\d{3}"  # LibreOffice
    r"|\.[a-z_]"  # Stata, SAS: .a to .z
)
_NEGATIVE = re.compile(r"[-−–—]\s*\d+([.,]0*)?")
"""-1, -99, -999.0: no person, session or class has such a number, but SPSS and scripts write it."""


_ROLES = (
    "speaker spk spkr subject subj actor person participant talker voice gender sex emotion label "
    "language lang session name sprecher locuteur hablante parlante falante"
)


def _only_missing(word: str) -> bool:
    """Whether a word is put together of such as are missing, like `nan nan` and `spk_nan`."""
    parts = [part for part in re.split(r"[\W_]+", word) if part and part not in _ROLES.split()]
    return bool(parts) and (
        _letters("".join(parts)) in WORDS or all(_letters(part) in WORDS for part in parts)
    )


def is_missing(text: str, numbers: bool = True) -> bool:
    """Whether a cell says that something is not known; a blank one does.

    Args:
        numbers: also take negative whole numbers so; not for columns that measure something.

    >>> [is_missing(text) for text in ("", "NaN", " n / a ", "#N/A", "--undefined--", "-1", "?")]
    [True, True, True, True, True, True, True]
    >>> [is_missing(text) for text in ("nana", "0", "Nantes", "x", "N.D.")]
    [False, False, False, False, False]
    """
    if len(text) > _LONGEST:
        return False
    word, letters = alike(text), _letters(text)
    joined = word.replace(" ", "")
    return (
        not letters
        or letters in WORDS
        or _only_missing(word)
        or not _WRITTEN.isdisjoint((word, joined))
        or plain(text).replace(" ", "") in _EXACT
        or _PATTERNS.fullmatch(joined) is not None
        or (numbers and _NEGATIVE.fullmatch(word) is not None)
    )
