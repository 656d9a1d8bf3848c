"""Take in what others painted who have joined a project, when no window holds it.

Where only one person painted, it is taken; where strokes differ, both are kept, and the place is unpainted
until somebody decides: in the window, or here for whole items with --take."""

from __future__ import annotations

import argparse
from collections.abc import Iterator

from pccs.cli.options import add_name, add_project, many
from pccs.errors import MaskError, ProjectError
from pccs.project import Project

NAME, SUMMARY = "merge", "take in what others painted who joined a project"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``pccs merge``."""
    add_project(parser)
    parser.add_argument(
        "--take", metavar="NAME", help="where strokes differ, decide for those of this person ('-': nobody's)"
    )
    parser.add_argument("--items", default="all", metavar="WHICH", help="items that --take decides (all)")
    add_name(parser)


def run(options: argparse.Namespace) -> int:
    """Join all strokes, decide if asked to, and say where they differ."""
    with Project.open(options.project, name=options.name) as project:
        for line in _merge(project):
            print(line)
        if options.take is not None:
            print(_decide(project, "" if options.take == "-" else options.take, options.items))
        conflicts = project.people.conflicts()
        for conflict in conflicts:
            people = ", ".join(sorted(project.people.strokes(project.item(conflict.item))))
            print(f"{conflict.item}: strokes differ in {many(conflict.pixels, 'pixel')} ({people})")
        print(f"{many(len(conflicts), 'item')} to decide." if conflicts else "Nothing to decide.")
    return 0


def _merge(project: Project) -> Iterator[str]:
    taken, left = 0, []
    for item in project.people.waiting():
        try:
            taken += project.people.take_in(item)
        except MaskError as error:  # the image was replaced by one of another size; the others go on
            left.append(str(error))
    yield f"Strokes taken in: {many(taken, 'item')}."
    yield from left


def _decide(project: Project, name: str, which: str) -> str:
    if name and name not in {person.name for person in project.people.all()}:
        raise ProjectError(
            f"nobody called {name} has joined",
            path=project.path,
            allowed=", ".join(person.name for person in project.people.all()) or "nobody has",
        )
    open_ = {conflict.item for conflict in project.people.conflicts()}
    done = 0
    for item in project.select(which):
        if item.name in open_:
            where = project.people.joined(item).conflict
            strokes = project.people.strokes(item)
            if not name or (name in strokes and strokes[name][where].any()):
                project.people.decide(item, where, name)
                done += 1
    return f"Decided for {name or 'nobody'}: {many(done, 'item')}."
