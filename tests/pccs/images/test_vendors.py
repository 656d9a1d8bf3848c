"""Files of microscope makers. bioio is not installed for the tests: what stands in for it here does what its
documentation says of ``BioImage``, with numpy in the place of dask."""

from __future__ import annotations

import sys
from collections import namedtuple
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

from pccs.errors import ImageError
from pccs.images import find_images, probe, read_plane, read_planes
from pccs.project import Project

SCENES = {
    "Series 1": np.random.default_rng(0).integers(0, 9, (1, 2, 3, 20, 30)).astype(np.uint16),
    "Series 2": np.random.default_rng(1).integers(0, 9, (4, 1, 1, 18, 30)).astype(np.uint16),
}
Sizes = namedtuple("Sizes", "Z Y X")


class StandIn:
    """``bioio.BioImage``: always TCZYX, one scene at a time."""

    held: dict[str, Any] = SCENES

    def __init__(self, image: Path) -> None:
        if not Path(image).read_bytes():
            raise ValueError("no such format")
        self.scenes = tuple(self.held)
        self.set_scene(0)

    def set_scene(self, scene: int) -> None:
        self.dask_data = self.held[self.scenes[scene]]
        self.shape, self.dtype = self.dask_data.shape, self.dask_data.dtype
        self.dims = SimpleNamespace(order="TCZYX")
        self.physical_pixel_sizes = Sizes(None if scene else 2.0, 0.5, 0.25)


@pytest.fixture
def bioio(monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("bioio")
    module.BioImage = StandIn  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "bioio", module)
    for name in ("bioio_lif", "bioio_czi", "bioio_nd2"):
        monkeypatch.setitem(sys.modules, name, ModuleType(name))


def file(folder: Path, name: str = "a.lif") -> Path:
    (folder / name).write_bytes(b"x")
    return folder / name


@pytest.mark.usefixtures("bioio")
def test_every_scene_is_a_source(tmp_path: Path) -> None:
    file(tmp_path)
    with Project.create(tmp_path / "p.pccs") as project:
        project.add_sources(find_images(tmp_path))
        assert list(project.sources) == ["a 0", "a 1"]
        first, second = (source.info for source in project.sources.values())
        assert (first.axes, first.shape, first.spacing) == ("CZYX", (2, 3, 20, 30), (None, 2, 0.5, 0.25))
        assert (second.axes, second.shape, second.unit) == ("TYX", (4, 18, 30), "µm")
        assert np.array_equal(read_planes(first), np.moveaxis(SCENES["Series 1"][0], 0, -1))
        assert np.array_equal(read_plane(second, 3)[..., 0], SCENES["Series 2"][3, 0, 0])


@pytest.mark.usefixtures("bioio")
def test_the_only_scene_needs_no_number(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(StandIn, "held", {"one": SCENES["Series 1"]})
    (found,) = find_images(file(tmp_path, "a.czi"))
    assert probe(found).shape == (2, 3, 20, 30)


@pytest.mark.usefixtures("bioio")
def test_scenes_that_are_not_there_cost_a_sentence(tmp_path: Path) -> None:
    path = file(tmp_path)
    with pytest.raises(ImageError, match=r"2 scenes \(Series 1, Series 2\).*a\.lif:/0"):
        probe(path)
    for part in ("2", "x"):
        with pytest.raises(ImageError, match=f"no scene '{part}'; allowed: 0 to 1"):
            probe(Path(f"{path}:/{part}"))
    (tmp_path / "b.nd2").write_bytes(b"")
    with pytest.raises(
        ImageError, match=r"b\.nd2: it cannot be read as a microscope's file \(no such format\)"
    ):
        probe(*find_images(tmp_path / "b.nd2"))


@pytest.mark.parametrize(
    ("name", "package"), [("a.czi", "bioio-czi"), ("A.ND2", "bioio-nd2"), ("a.lif", "bioio-lif")]
)
@pytest.mark.parametrize("missing", [0, 1])
def test_missing_packages_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bioio: None, name: str, package: str, missing: int
) -> None:
    monkeypatch.setitem(sys.modules, ("bioio", package.replace("-", "_"))[missing], None)
    (found,) = find_images(file(tmp_path, name))
    with pytest.raises(ImageError, match=rf"needs the package 'bioio.*Run: pip install bioio {package}"):
        probe(found)
