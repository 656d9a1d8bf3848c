"""What must be true of the repository as a whole."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest
from skimage.io import imread

ROOT = Path(__file__).resolve().parents[1]
BENCHMARKS = sorted(p.stem for p in (ROOT / "benchmarks").glob("[a-z]*.py"))
TEXT = {".py", ".md", ".toml", ".yaml", ".yml", ".sh", ".txt", ".json", ".cff", ""}


def committed() -> list[Path]:
    """Every file git knows here; all files when this is no clone."""
    try:
        done = subprocess.run(
            ["git", "ls-files", "-co", "--exclude-standard"],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("not a git clone")
    return [ROOT / line for line in done.stdout.splitlines() if (ROOT / line).is_file()]


def test_manifest_at_the_root_is_the_packaged_one() -> None:
    assert (ROOT / "napari.yaml").read_bytes() == (ROOT / "napari_pccs" / "napari.yaml").read_bytes()


def test_no_file_names_a_machine() -> None:
    path = re.compile(r"(?<![\w.])/(?:root|home/\w+|Users/\w+|work|opt|mnt)/[\w.]")
    found = []
    for file in committed():
        if file.suffix in TEXT and file != Path(__file__):
            lines = file.read_text(encoding="utf-8", errors="replace").splitlines()
            found += [f"{file.relative_to(ROOT)}:{n}" for n, line in enumerate(lines, 1) if path.search(line)]
    assert not found, found


def test_versions_are_pinned_without_addresses() -> None:
    lines = [line for line in (ROOT / "constraints.txt").read_text().splitlines() if not line.startswith("#")]
    assert all(re.fullmatch(r"[\w.-]+==[\w.!]+", line) for line in lines)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    wanted = [*project["dependencies"], *extras["all"], *extras["dev"], *extras["docs"]]
    pinned = {re.sub(r"[-_.]+", "-", line.split("==")[0]).lower() for line in lines}
    names = {re.sub(r"[-_.]+", "-", re.split(r"[>=<\[ ]", need)[0]).lower() for need in wanted}
    assert names <= pinned, names - pinned


def test_base_dependencies_bring_no_qt() -> None:
    needs = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    assert not [n for n in needs if re.match(r"(?i)pyqt\d|pyside|napari\[", n)]


@pytest.mark.parametrize("name", BENCHMARKS)
def test_benchmark_keeps_its_contract(name: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", f"benchmarks.{name}", "--help"],
        cwd=ROOT, capture_output=True, text=True, timeout=100, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "--quick" in done.stdout
    assert "--json" in done.stdout


def test_every_benchmark_stands_in_the_docs() -> None:
    pages = "".join(page.read_text(encoding="utf-8") for page in (ROOT / "docs").rglob("*.md"))
    assert not [name for name in BENCHMARKS if f"benchmarks.{name}" not in pages]


def test_sample_data_is_what_the_script_makes(tmp_path: Path) -> None:
    script = ROOT / "sample_data" / "generate.py"
    subprocess.run(
        [sys.executable, str(script), "--out", str(tmp_path)], check=True, capture_output=True, timeout=200
    )
    made = sorted(p.relative_to(tmp_path) for p in tmp_path.rglob("*") if p.is_file())
    kept = sorted(
        p.relative_to(ROOT / "sample_data")
        for p in (ROOT / "sample_data").rglob("*")
        if p.is_file() and p.suffix != ".py" and "__pycache__" not in p.parts
    )
    assert made == kept
    for name in made:
        a, b = tmp_path / name, ROOT / "sample_data" / name
        if name.suffix == ".json":
            assert json.loads(a.read_text()) == json.loads(b.read_text())
        else:
            # Another processor may round one grey value in a thousand differently; a person could not see it.
            pixels, stored = imread(a).astype(int), imread(b).astype(int)
            assert np.abs(pixels - stored).max() <= 2, name
            assert (pixels != stored).mean() < 1e-3, name


def test_sample_data_is_small_and_half_labelled() -> None:
    files = [p for p in (ROOT / "sample_data").rglob("*") if p.is_file() and "__pycache__" not in p.parts]
    assert sum(p.stat().st_size for p in files) <= 3 * 2**20
    cells = ROOT / "sample_data" / "cells"
    facts = json.loads((cells / "sample.json").read_text())
    images = {p.stem for p in (cells / "images").iterdir()}
    assert len(images) >= 40
    assert set(facts["annotations"]) < images
    for stem, file in facts["annotations"].items():
        painted = imread(cells / file)
        truth = imread(ROOT / "sample_data" / "truth" / "cells" / f"{stem}.png")
        share = (painted > 0).mean()
        assert share == 1 if stem in facts["complete"] else 0 < share < 0.15
        assert (painted[painted > 0] - 1 == truth[painted > 0]).all()


def test_training_never_names_the_truth() -> None:
    rooms = ("data", "train", "predict", "method", "nets", "suggest", "worker")
    files = [f for room in rooms for f in (ROOT / "src" / "pccs" / room).rglob("*.py")]
    assert files
    assert not [f for f in files if "truth_folder" in f.read_text() or "sample_data" in f.read_text()]


def test_install_script_does_nothing_twice() -> None:
    """With the stamp in place it ends at once, and says nothing."""
    stamp = ROOT / ".venv" / "installed"
    if not stamp.exists():
        pytest.skip("this environment was not made by scripts/install.sh")
    parts = ("pyproject.toml", "constraints.txt", "scripts/install.sh")
    text = b"".join((ROOT / p).read_bytes() for p in parts)
    state = subprocess.run(["cksum"], input=text, capture_output=True, check=True).stdout.decode().strip()
    if stamp.read_text().strip() != state:
        pytest.skip("the environment is older than pyproject.toml")
    done = subprocess.run(
        ["sh", "scripts/install.sh"], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False,
        env={**os.environ, "PYTHON": "/nowhere"},
    )  # fmt: skip
    assert done.returncode == 0
    assert "Making" not in done.stderr
    assert "Installing napari-pccs" not in done.stderr


def test_everything_the_wheel_needs_is_declared() -> None:
    wheel = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"]
    assert set(wheel["packages"]) == {"napari_pccs", "src/pccs"}
    for source in wheel["force-include"]:
        assert (ROOT / source).exists(), source
    assert importlib.util.find_spec("pccs.samples") is not None


def test_every_module_that_make_runs_can_be_run() -> None:
    names = set(re.findall(r"\$\(PY\) -m ([a-z_.]+[a-z])", (ROOT / "Makefile").read_text()))
    assert {"pccs", "pccs.samples", "napari_pccs"} <= names
    for name in names - {"benchmarks"}:  # the shell completes that with each benchmark's name
        found = importlib.util.find_spec(name)
        assert found is not None, name
        if found.submodule_search_locations is not None:
            assert importlib.util.find_spec(f"{name}.__main__") is not None, name


def test_every_complaint_of_the_comparison_has_a_test_that_exists() -> None:
    page = (ROOT / "docs" / "comparison.md").read_text(encoding="utf-8")
    named = re.findall(r"`(\S+\.py)::(test_\w+)`", page)
    assert len(named) == 15
    for file, test in named:
        source = (ROOT / "tests" / file).read_text(encoding="utf-8")
        assert f"def {test}(" in source, f"{file} has no {test}"
