from pathlib import Path

import pytest

from ser.errors import InputError
from ser.extract import BACKBONES
from ser.extract.backbones.table import BEGIN, END, renew, table

PAGE = Path(__file__).parents[1] / "docs" / "backbones.md"


def test_the_page_is_up_to_date():
    page = PAGE.read_text(encoding="utf-8")
    assert renew(page) == page, f"run: python -m ser.extract.backbones.table {PAGE}"


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
