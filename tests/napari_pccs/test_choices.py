"""Names the plugin shows are those the engine knows: it may not import the engine, but its tests may."""

from __future__ import annotations

from napari_pccs.export_job import CONTENTS, FORMATS
from napari_pccs.panels.images import AXES_CHOICES
from napari_pccs.panels.train import ABOUT_PRESETS
from napari_pccs.suggestions import choices
from napari_pccs.ui import duration
from pccs.config import PRESETS


def test_strategies() -> None:
    import pccs.suggest

    assert set(choices()) == {"auto", *pccs.suggest.STRATEGIES}
    assert all(title and about.endswith(".") for title, about in choices().values())


def test_formats_and_contents() -> None:
    import pccs.export
    from pccs.cli.export import PARTS

    assert set(FORMATS) == set(pccs.export.FORMATS)
    assert set(CONTENTS) == set(PARTS.split(", "))


def test_presets() -> None:
    assert set(ABOUT_PRESETS) == set(PRESETS)


def test_axes_have_rows_and_columns() -> None:
    assert all({"X", "Y"} <= set(axes) for axes in AXES_CHOICES)


def test_durations() -> None:
    assert [duration(s) for s in (5.4, 75, 3700)] == ["5 s", "1 min 15 s", "1 h 1 min"]
