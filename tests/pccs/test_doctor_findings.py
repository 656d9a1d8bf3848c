"""What the doctor says of installations that make people suffer."""

from __future__ import annotations

import pytest
import torch

from pccs import doctor


def versions(monkeypatch: pytest.MonkeyPatch, **installed: str) -> None:
    monkeypatch.setattr(doctor, "_version", installed.get)


def test_two_bindings_are_told_and_none_is_too(monkeypatch: pytest.MonkeyPatch) -> None:
    versions(monkeypatch, PyQt6="6.9", PySide6="6.8")
    assert "keep one" in doctor._qt()
    versions(monkeypatch, PyQt6="6.9")
    assert doctor._qt() == "PyQt6 6.9"
    versions(monkeypatch)
    assert "pip install" in doctor._qt()


@pytest.mark.skipif(torch.version.cuda is not None, reason="this torch can use CUDA")
def test_a_torch_that_cannot_use_the_gpu_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor.shutil, "which", lambda name: "/bin/true" if name == "nvidia-smi" else None)
    said = [finding for _, finding in doctor._devices()]
    assert any("install a CUDA build of torch" in line for line in said)
    monkeypatch.setattr(doctor.shutil, "which", lambda name: None)
    assert not any("CUDA build" in finding for _, finding in doctor._devices())


def test_a_missing_torch_has_no_device_to_tell_of(monkeypatch: pytest.MonkeyPatch) -> None:
    versions(monkeypatch)
    assert list(doctor._devices()) == []
