"""Names the plugin shows are those the engine knows: it may not import the engine, but its tests may."""

from __future__ import annotations

from typing import Any

from napari_pccs.export_job import CONTENTS, FORMATS
from napari_pccs.panels.export_choices import MAPS, TABLES, ExportChoices
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


def test_tidying_and_types_are_understood_by_the_command_line(qtbot: Any) -> None:
    from pccs.cli import build_parser
    from pccs.export.measurements import TABLES as TABLE_KINDS
    from pccs.export.stream import MAPS as MAP_TYPES

    assert tuple(MAPS) == tuple(MAP_TYPES)
    assert tuple(TABLES) == TABLE_KINDS
    changes: list[int] = []
    choices_ = ExportChoices(lambda: changes.append(1))
    qtbot.addWidget(choices_)
    assert choices_.arguments() == []
    for value, number in enumerate(choices_.numbers.values(), start=2):
        number.setValue(value)
    choices_.keep_largest.setChecked(True)
    choices_.maps.setCurrentIndex(2)
    choices_.table.setCurrentIndex(1)
    assert len(changes) == 7
    options = build_parser().parse_args(["export", "p.pccs", "-o", "out", *choices_.arguments()])
    given = (options.smooth, options.fill_holes, options.split, options.smallest)
    assert given == (2, 3, 4, 5)
    assert (options.keep_largest, options.maps, options.table) == (True, "uint8", "parquet")
