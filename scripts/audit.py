"""Ask OSV whether a version pinned in constraints.txt has a known vulnerability.

Exit status: 0 none has; 1 one has, or the question was not answered for every version; 0 as well, with a
sentence that begins with NOT CHECKED, when there is no network to ask over. ``--strict`` makes that a failure
too: before a release, nobody should believe an answer that was never given.

pip-audit alone would not do: from a mirror of PyPI that carries no advisories it skips every package and then
reports that no vulnerability is known.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import requests

ROOT = Path(__file__).resolve().parents[1]
SERVICE = "https://api.osv.dev"
PATIENCE = 20.0
"""Seconds until a service that does not answer counts as not there."""


def main(arguments: list[str] | None = None) -> int:
    """Ask, print, judge."""
    parser = argparse.ArgumentParser(prog="scripts/audit.py", description=__doc__)
    parser.add_argument("--strict", action="store_true", help="fail when there is no network")
    parser.add_argument("--pins", type=Path, default=ROOT / "constraints.txt", help="versions to ask about")
    parser.add_argument("--service", default=os.environ.get("OSV_URL", SERVICE), help="address of OSV")
    options = parser.parse_args(arguments)
    why = unreachable(options.service)
    if why:
        print(f"NOT CHECKED for known vulnerabilities: {options.service} cannot be reached ({why}).")
        return 1 if options.strict else 0
    return judge(*ask(options.pins, options.service), pinned(options.pins))


def unreachable(service: str) -> str:
    """Why ``service`` cannot be reached; empty when something answers there, whatever it says."""
    try:
        requests.get(service, timeout=PATIENCE)
    except (requests.ConnectionError, requests.Timeout) as error:
        return type(error).__name__
    return ""


def ask(pins: Path, service: str) -> tuple[dict[str, Any] | None, str]:
    """What pip-audit found, ``None`` if it gave up; and its last words."""
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pip_audit", "--requirement", str(pins), "--no-deps", "--disable-pip"),
            *("--vulnerability-service", "osv", "--osv-url", f"{service}/v1/query"),
            *("--format", "json", "--progress-spinner", "off"),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    words = done.stderr.strip().splitlines()
    try:
        return json.loads(done.stdout), words[-1] if words else ""
    except ValueError:
        return None, words[-1] if words else f"status {done.returncode}"


def pinned(pins: Path) -> int:
    """How many versions ``pins`` has."""
    return sum("==" in line for line in pins.read_text(encoding="utf-8").splitlines())


def judge(found: dict[str, Any] | None, words: str, pins: int) -> int:
    """Say what was found, and whether all is well."""
    if found is None:
        print(f"The question about known vulnerabilities was not answered: {words}")
        return 1
    answered = [one for one in found["dependencies"] if "skip_reason" not in one]
    bad = [one for one in answered if one["vulns"]]
    for one in bad:
        for fault in one["vulns"]:
            fixed = ", ".join(fault["fix_versions"]) or "no version yet"
            print(f"{one['name']} {one['version']}: {fault['id']}, mended in {fixed}")
    if len(answered) < pins:
        print(f"Only {len(answered)} of {pins} pinned versions were looked up.")
        return 1
    if bad:
        print(f"{len(bad)} of {pins} pinned versions have a known vulnerability.")
        return 1
    print(f"No known vulnerability in {pins} pinned versions.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
