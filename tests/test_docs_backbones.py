import runpy
from pathlib import Path

import pytest

from ser.errors import InputError
from ser.extract import BACKBONES

SCRIPT = Path(__file__).parents[1] / "docs" / "backbones.py"
made = runpy.run_path(str(SCRIPT))
BEGIN, END, PAGE, renew, table = (made[n] for n in ("BEGIN", "END", "PAGE", "renew", "table"))


def test_the_page_is_up_to_date():
    page = PAGE.read_text(encoding="utf-8")
    assert renew(page) == page, f"run: python {SCRIPT}"


def test_every_backbone_is_in_the_table():
    rows = table().splitlines()
    for name, backbone in BACKBONES.items():
        (row,) = (line for line in rows if line.startswith((f"| `{name}` ", f"| `{name}:<")))
        assert backbone.licence in row
        assert backbone.kind in row
    assert sum(len(row.split(" | ")) == 8 for row in rows) == len(BACKBONES) + 2


@pytest.mark.parametrize("page", ["", BEGIN, END + BEGIN, BEGIN + END + BEGIN])
def test_a_page_without_marks(page):
    with pytest.raises(InputError, match="from the registry: begin"):
        renew(page)
