"""The example in docs/hil.md is the scenario that the suite runs."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_the_documents_example_is_the_one_that_runs():
    text = (ROOT / "docs/hil.md").read_text(encoding="utf-8")
    found = re.search(r"<!-- example: (\S+) -->\n```python\n(.*?)```", text, re.DOTALL)
    assert found
    assert found[2].strip() in (ROOT / found[1]).read_text(encoding="utf-8")
