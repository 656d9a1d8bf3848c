"""Which interpreter another process of ours is started with."""

from __future__ import annotations

from pathlib import Path

from pccs.interpreter import python


def test_pythonw_gives_way_to_the_console_interpreter_beside_it(tmp_path: Path) -> None:
    (tmp_path / "python.exe").touch()
    assert python(str(tmp_path / "pythonw.exe")) == str(tmp_path / "python.exe")
    assert python(str(tmp_path / "other" / "pythonw.exe")).endswith("pythonw.exe")
    assert python("/usr/bin/python3") == "/usr/bin/python3"
