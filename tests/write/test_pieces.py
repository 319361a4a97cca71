"""The pages of docs/write show these files as they are."""

import re
from pathlib import Path

import pytest

HERE = Path(__file__).parent
PAGES = HERE.parent.parent / "docs" / "write"
PIECE = re.compile(r"^# docs: begin (\w+)\n(.*?)^# docs: end \1$", re.DOTALL | re.MULTILINE)
PIECES = [
    pytest.param(match[2].strip("\n"), id=f"{path.stem}-{match[1]}")
    for path in sorted(HERE.rglob("*.py"))
    for match in PIECE.finditer(path.read_text(encoding="utf-8"))
]


@pytest.mark.parametrize("piece", PIECES)
def test_a_page_shows_it(piece):
    text = "\n".join(page.read_text(encoding="utf-8") for page in PAGES.glob("*.md"))
    assert f"```python\n{piece}\n```\n" in text


def test_every_example_is_a_piece():
    found = sum(
        page.read_text(encoding="utf-8").count("```python\n") for page in PAGES.glob("*.md")
    )
    assert found == len(PIECES) > 10
