"""The command line as scripts outside the project depend on it, checked from outside.

The check lies beside the project and is not part of it. It runs once, in a process of its own, for
a few minutes, where ``PCCS_CONTRACT`` is set; each of its checks is a test here.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

CHECK = Path(__file__).resolve().parents[3] / "shared" / "check" / "contract.py"
NAMES = re.findall(r"^@check\ndef (\w+)", CHECK.read_text(), re.MULTILINE) if CHECK.is_file() else []

pytestmark = [
    pytest.mark.shared,
    pytest.mark.timeout(1800),
    pytest.mark.skipif(
        not os.environ.get("PCCS_CONTRACT"), reason="takes minutes: PCCS_CONTRACT=1 make test"
    ),
]


@pytest.fixture(scope="module")
def lines() -> dict[str, str]:
    """What was said of each check."""
    done = subprocess.run([sys.executable, str(CHECK)], capture_output=True, text=True, check=False)
    said = re.findall(r"^((?:ok   |FAIL ) (\w+).*?)(?=^ok |^FAIL |\Z)", done.stdout, re.MULTILINE | re.DOTALL)
    assert said, done.stderr
    return {name: line for line, name in said}


@pytest.mark.skipif(not NAMES, reason="the outside check is not beside the project")
@pytest.mark.parametrize("name", NAMES)
def test_the_command_line_keeps_its_contract(name: str, lines: dict[str, str]) -> None:
    assert lines[name].startswith("ok"), lines[name]
