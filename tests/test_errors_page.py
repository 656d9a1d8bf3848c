"""``docs/reference/errors.md`` has every sentence of the program, and no other."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from pccs import errors

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "reference" / "errors.md"
KINDS = {name for name, kind in vars(errors).items() if isinstance(kind, type) and name != "Path"}


def sentences() -> Iterator[tuple[str, str]]:
    """Each ``what`` with ``…`` for what differs, and the place it is said at."""
    for file in sorted([*(ROOT / "src" / "pccs").rglob("*.py"), *(ROOT / "napari_pccs").rglob("*.py")]):
        tree = ast.parse(file.read_text(encoding="utf-8"))
        for function in ast.walk(tree):
            if isinstance(function, ast.FunctionDef):
                named = {
                    node.targets[0].id: node.value
                    for node in ast.walk(function)
                    if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
                }
                for call in ast.walk(function):
                    if isinstance(call, ast.Call) and _kind(call) and call.args:
                        for text in _texts(call.args[0], named):
                            yield text, f"{file.name}:{call.lineno}"


def _kind(call: ast.Call) -> bool:
    name = call.func.id if isinstance(call.func, ast.Name) else ""
    return name in KINDS or name == "DivergedError"


def _texts(node: ast.expr, named: dict[str, ast.expr]) -> list[str]:
    if isinstance(node, ast.Constant):
        return [str(node.value)]
    if isinstance(node, ast.JoinedStr):
        return ["".join(str(v.value) if isinstance(v, ast.Constant) else "…" for v in node.values)]
    if isinstance(node, ast.IfExp):
        return [*_texts(node.body, named), *_texts(node.orelse, named)]
    if isinstance(node, ast.Name) and node.id in named:
        return _texts(named[node.id], {})
    return ["…"]  # the words of another error, passed on with the path of its file


def rows() -> dict[str, tuple[str, str]]:
    found: dict[str, tuple[str, str]] = {}
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        if len(cells) == 3 and cells[0] not in ("message", "---"):
            assert cells[0] not in found, f"{cells[0]!r} is there twice"
            found[cells[0]] = (cells[1], cells[2])
    return found


def test_every_sentence_is_on_the_page_and_the_page_has_no_other() -> None:
    said = {text: place for text, place in sentences() if text != "…"}
    assert len(said) > 100
    known = rows()
    assert not {text: place for text, place in said.items() if text not in known}
    assert not set(known) - set(said)


def test_every_row_names_a_cause_and_a_remedy() -> None:
    for message, (cause, remedy) in rows().items():
        assert len(cause) > 5, message
        assert len(remedy) > 5, message
