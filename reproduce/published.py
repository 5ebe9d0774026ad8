"""The numbers that the paper prints, as fractions: its tables 3 and 4, UA and WA."""

from __future__ import annotations

from collections.abc import Mapping

PAPER_CORPORA = ("iemocap", "emodb", "cafe")
"""The paper's corpora, in the order of its columns English, German, French."""

Printed = Mapping[str, tuple[tuple[float, float], ...]]

TABLE3: Printed = {
    "base": ((0.3333, 0.6459), (0.6403, 0.8586), (0.6860, 0.7646)),
    "sb": ((0.6507, 0.6570), (0.8628, 0.8702), (0.8538, 0.8410)),
    "omoe": ((0.6723, 0.6722), (0.9398, 0.9443), (0.8580, 0.8417)),
    "mmoe": ((0.6883, 0.6815), (0.9419, 0.9443), (0.8638, 0.8415)),
    "ours": ((0.7045, 0.7126), (0.9578, 0.9536), (0.8713, 0.8514)),
}
TABLE4: Printed = {
    "with": ((0.7434, 0.7331), (0.9556, 0.9536), (0.9070, 0.8910)),
    "without": ((0.7213, 0.7219), (0.9493, 0.9536), (0.8935, 0.8712)),
}


def printed(table: Printed, row: str, corpus: str) -> dict[str, float] | None:
    """UA and WA of a row of a table for a corpus; None where the paper has none."""
    if row not in table or corpus not in PAPER_CORPORA:
        return None
    ua, wa = table[row][PAPER_CORPORA.index(corpus)]
    return {"ua": ua, "wa": wa}
