"""Say what this machine and installation offer, and what is wrong with a project."""

from __future__ import annotations

import argparse
from pathlib import Path

NAME, SUMMARY = "doctor", "check the installation, the machine and a project"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``pccs doctor``."""
    parser.add_argument("project", metavar="PROJECT", nargs="?", type=Path, help="a project to check too")


def run(options: argparse.Namespace) -> int:
    """Print the findings; a finding is no failure, so the status is 0."""
    from pccs.doctor import examine_machine, examine_project

    for title, line in examine_machine(options.project or Path.cwd()):
        print(f"{title + ':':14s} {line}", flush=True)
    if options.project is not None:
        print(f"\n{options.project}")
        for line in examine_project(options.project):
            print(f"  {line}", flush=True)
    return 0
