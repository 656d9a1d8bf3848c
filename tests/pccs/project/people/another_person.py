"""A process of its own: ``python another_person.py PROJECT NAME hold|join``, told what to do line by line.

``paint ITEM ROW COLUMN CLASS`` adds a stroke, ``strokes ITEM N`` saves N pixels one after the other,
``claim ITEM``; each is answered by a line.
"""

from __future__ import annotations

import sys

from pccs.project import Project


def obey(project: Project, words: list[str]) -> str:
    item = project.item(words[1])
    if words[0] == "claim":
        project.people.claim(item)
    elif words[0] == "paint":
        row, column, value = map(int, words[2:])
        raster = project.annotation(item)
        raster[row, column] = value
        project.save_annotation(item, raster)
    else:
        raster = project.annotation(item)
        for k in range(int(words[2])):
            raster.flat[k] = 3
            project.save_annotation(item, raster)
            print(k, flush=True)
    return "done"


def main(path: str, name: str, how: str) -> None:
    project = Project.open(path, name=name) if how == "hold" else Project.join(path, name)
    print(project.recovered or "ready", flush=True)
    for line in sys.stdin:
        print(obey(project, line.split()), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
