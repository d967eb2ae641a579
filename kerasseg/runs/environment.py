"""What a run ran on, so that its figures can be read years later: versions, machine, memory."""

from __future__ import annotations

import os
import platform
import resource
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

MIB = 2**20 if sys.platform == "darwin" else 2**10  # in what the system counts a process' memory in
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


def peak_mib() -> int:
    """Give the most memory that this process held so far, in MiB."""
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / MIB)


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
