"""``python -m napari_pccs [PROJECT]``: napari with the panel docked, on a project when one is named."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path


def main(arguments: list[str] | None = None) -> int:
    """Open the window and stay until it is closed; the exit status."""
    parser = argparse.ArgumentParser(prog="python -m napari_pccs", description=__doc__)
    parser.add_argument("project", nargs="?", type=Path, help="a project folder NAME.pccs")
    options = parser.parse_args(arguments)

    import napari
    from qtpy.QtWidgets import QApplication

    from napari_pccs.panel import open_panel
    from pccs.errors import PccsError

    viewer = napari.Viewer(title="napari: PCCS")
    panel = open_panel(viewer)
    if options.project is not None:
        QApplication.processEvents()  # the canvas has its size now, so that the image fits it
        try:
            panel.session.open_project(options.project)
        except PccsError as error:
            viewer.close()
            print(error, file=sys.stderr)
            return 2
        panel.show_stage("train")
        panel.session.say("info", "Press Train, and keep painting.")
    napari.run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
