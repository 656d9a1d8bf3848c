"""``pccs demo``: the sample project trained twice, without and with its unlabelled images."""

from __future__ import annotations

from pccs.demo.show import main, run_demo

__all__ = ["main", "run_demo"]
