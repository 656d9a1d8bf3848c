"""CZI, ND2 and LIF through the real bioio, which this project does not install.

It gets an environment of its own, ``build/vendors``, made by pip the first time. The CZI file is written
there by the maker's own library, the LIF file after the published layout (no library writes it), and the ND2
file is a real one from a microscope, out of the source archive of pims_nd2 on PyPI (or ``--nd2``), read by
nd2reader for comparison. Where nothing can be installed, that is said and nothing is measured.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

from benchmarks import _environment
from benchmarks._harness import ROOT, Report, Target, command, finish, say, table

PLACE = ROOT / "build" / "vendors"
NEEDS = ("bioio==3.6.0", "bioio-czi==3.0.1", "bioio-nd2==2.5.0", "bioio-lif==2.0.1", "pylibCZIrw==6.1.0",
         "nd2reader==3.3.1")  # fmt: skip
WORKS = "import bioio, bioio_czi, bioio_nd2, bioio_lif, pylibCZIrw, nd2reader"
COLUMNS = ("scenes", "pixels", "region", "size", "in a project")
_REAL = "pims_nd2==1.1"


def main() -> int:
    """Make the files, read them, print what was right."""
    parser = command("vendors", __doc__ or "", device=False)
    parser.add_argument("--nd2", type=Path, metavar="FILE", help="another ND2 file to try")
    options = parser.parse_args()
    python = _environment.interpreter(PLACE, NEEDS, WORKS, beside=True)
    if python is None:
        print("skipped: bioio is not here and cannot be installed (no network?)")
        return 0
    with tempfile.TemporaryDirectory(prefix="pccs-vendors-") as folder:
        nd2 = options.nd2 or real_nd2(python)
        words = [python, "-W", "ignore", "-m", "benchmarks._vendors_child", folder, *([nd2] if nd2 else [])]
        paths = os.pathsep.join(map(str, (ROOT, ROOT / "src")))
        done = subprocess.run(
            words,
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
            check=True,
            env={**os.environ, "PYTHONPATH": paths},
        )
    return _judge(done.stdout.splitlines(), options)


def real_nd2(python: Path) -> Path | None:
    """The ND2 file of the archive, kept beside the environment; ``None`` when it cannot be had."""
    kept = PLACE / "cluster.nd2"
    if not kept.is_file():
        words = [
            python,
            "-m",
            "pip",
            "download",
            "-q",
            "--no-deps",
            "--no-binary",
            ":all:",
            "-d",
            PLACE,
            _REAL,
        ]
        if subprocess.run(words, check=False, stdin=subprocess.DEVNULL).returncode:
            return None
        with tarfile.open(next(PLACE.glob("pims_nd2*.tar.gz"))) as archive:
            (member,) = [m for m in archive.getmembers() if m.name.endswith("/cluster.nd2")]
            file = archive.extractfile(member)
            assert file is not None
            kept.write_bytes(file.read())
    return kept


def _judge(lines: list[str], options: argparse.Namespace) -> int:
    report, rows = Report("vendors"), []
    for line in lines:
        found = json.loads(line)
        rows.append([found["file"], found.get("planes", 0), *(str(found.get(c, "-")) for c in COLUMNS)])
        good = all(found.get(column) is True for column in COLUMNS)
        report.figures[f"{found['file']}.true"] = float(good)
        report.targets[f"{found['file']}.true"] = Target(1, ">=")
        if "refused" in found:
            say(f"refused: {found['refused']}")
    print(table(("file", "planes", *COLUMNS), rows))
    return finish(report, options)


if __name__ == "__main__":
    sys.exit(main())
