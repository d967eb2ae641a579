"""What a run ran on: versions and machine, so that its figures can be read years later."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

PACKAGES = ("tensorflow", "keras", "efficientnet", "numpy", "opencv-python-headless", "albumentations")


def facts() -> dict[str, object]:
    """Name this package, Python, the libraries that decide results, the system and its processor."""
    return {
        "kerasseg": _version("kerasseg"),
        "python": platform.python_version(),
        **{package: _version(package) for package in PACKAGES},
        "system": platform.platform(),
        "processor": _processor(),
        "cores": os.cpu_count(),
    }


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _processor() -> str:
    """Name the processor as Linux does, or as Python knows it elsewhere."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()
