"""What people mean when they name items."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from difflib import get_close_matches

from pccs.errors import ProjectError
from pccs.project.items import Item, Source
from pccs.project.many import uncollected


class Names:
    """Every item by name, in order; sources' stems stand for all their slices."""

    @uncollected()
    def __init__(self, sources: Mapping[str, Source]) -> None:
        self.items: tuple[Item, ...] = tuple(i for s in sources.values() for i in s.items())
        self._by_name = {item.name: item for item in self.items}
        self._by_stem: dict[str, list[Item]] = {}
        for item in self.items:
            self._by_stem.setdefault(item.stem, []).append(item)
        self._commas = max((name.count(",") for name in self._by_stem), default=0)

    def one(self, name: str) -> Item:
        """The item called ``name``; ProjectError names near matches."""
        item = self._by_name.get(name)
        if item is None:
            raise self._unknown(name)
        return item

    def of_stem(self, stem: str) -> list[Item]:
        """All items of a source."""
        return self._by_stem.get(stem, [])

    def listed(self, spec: str) -> list[Item]:
        """The items of a list ``STEM,STEM:3,…``; a name that holds commas is taken as a whole first."""
        found: dict[Item, None] = {}
        parts = [part.strip() for part in spec.split(",") if part.strip()]
        start = 0
        while start < len(parts):
            items, start = self._longest(parts, start)
            found.update(dict.fromkeys(items))
        return list(found)

    def _longest(self, parts: Sequence[str], start: int) -> tuple[list[Item], int]:
        for end in range(min(len(parts), start + 1 + self._commas), start, -1):
            name = ",".join(parts[start:end])
            if name in self._by_name:
                return [self._by_name[name]], end
            if name in self._by_stem:
                return self._by_stem[name], end
        raise self._unknown(parts[start])

    def _unknown(self, name: str) -> ProjectError:
        stem, colon, index = name.rpartition(":")
        if colon and stem in self._by_stem and index.isdecimal():
            last = len(self._by_stem[stem]) - 1
            return ProjectError(f"there is no slice {name!r}", allowed=f"{stem}:0 to {stem}:{last}")
        if not self.items:
            return ProjectError(
                f"there is no item {name!r}: the project holds no image", remedy="Add images first"
            )
        near = get_close_matches(name, {*self._by_stem, *self._by_name}, n=3)
        hint = f"Perhaps {' or '.join(map(repr, near))}" if near else f"The first is {self.items[0].name!r}"
        return ProjectError(f"there is no item {name!r}", remedy=hint)


def spread(items: Sequence[Item], count: int) -> list[Item]:
    """``count`` items spread evenly over ``items``, at the middles of ``count`` equal parts."""
    if not 1 <= count <= len(items):
        raise ProjectError(f"{count} items cannot be taken", allowed=f"1 to {len(items)}")
    return [items[int((k + 0.5) * len(items) / count)] for k in range(count)]
