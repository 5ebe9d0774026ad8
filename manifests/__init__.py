"""Which utterances exist: corpora, labels, splits. Needs pandas; decoding audio needs soundfile."""

from .audio import Audio, read_audio
from .build import Build, build_manifest, scan_corpus
from .confounding import Confounding, speaker_emotion_confounding
from .conversion import Conversion, convert_videos
from .corpora import CORPORA, Corpus, Entry, Scan, by_file_names
from .exporting import MANIFEST_FORMS, ManifestForm, export_manifest
from .findings import confounded_speakers, two_genders
from .fingerprint import FINGERPRINT
from .folds import FOLDS, columns_apart, counted_column, two_groups
from .foreign import corpus_from
from .formats import FORMATS, Format
from .known import Recognised, recognise, unrecognised
from .label_maps import BY_MAP, LabelMap, ready_maps
from .leaks import check_leaks, check_leaks_between, namesakes, shared_speakers
from .limit import ANY_MAY_BE_BAD, BadFileLimit
from .manifest import COLUMNS, Manifest
from .memory import BadFile, BadFileMemory, ProbeCache
from .names import check_corpus_name, id_from_form, id_from_path, is_corpus_name, problem_with_id
from .paths import audio_path, stored_path
from .protocols import (
    PROTOCOLS,
    WHOLE,
    Folds,
    check_folds_asked,
    check_protocol,
    described,
    group_columns,
    is_folds,
    published_by,
)
from .published import Published, read_published
from .roots import corpus_root, find_root, root_variable
from .split_files import read_splits, write_splits
from .splits import Split, make_splits, split_of_whole
from .vocabulary import EMOTIONS

__all__ = [
    "ANY_MAY_BE_BAD",
    "BY_MAP",
    "COLUMNS",
    "CORPORA",
    "EMOTIONS",
    "FINGERPRINT",
    "FOLDS",
    "FORMATS",
    "MANIFEST_FORMS",
    "PROTOCOLS",
    "WHOLE",
    "Audio",
    "BadFile",
    "BadFileLimit",
    "BadFileMemory",
    "Build",
    "Confounding",
    "Conversion",
    "Corpus",
    "Entry",
    "Folds",
    "Format",
    "LabelMap",
    "Manifest",
    "ManifestForm",
    "ProbeCache",
    "Published",
    "Recognised",
    "Scan",
    "Split",
    "audio_path",
    "build_manifest",
    "by_file_names",
    "check_corpus_name",
    "check_folds_asked",
    "check_leaks",
    "check_leaks_between",
    "check_protocol",
    "columns_apart",
    "confounded_speakers",
    "convert_videos",
    "corpus_from",
    "corpus_root",
    "counted_column",
    "described",
    "export_manifest",
    "find_root",
    "group_columns",
    "id_from_form",
    "id_from_path",
    "is_corpus_name",
    "is_folds",
    "make_splits",
    "namesakes",
    "problem_with_id",
    "published_by",
    "read_audio",
    "read_published",
    "read_splits",
    "ready_maps",
    "recognise",
    "root_variable",
    "scan_corpus",
    "shared_speakers",
    "speaker_emotion_confounding",
    "split_of_whole",
    "stored_path",
    "two_genders",
    "two_groups",
    "unrecognised",
    "write_splits",
]
