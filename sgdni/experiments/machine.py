"""Say what machine and versions a measurement was made with."""

from __future__ import annotations

import platform
import sys
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from sgdni._util.blas import blas_libraries
from sgdni._util.version import __version__
from sgdni.runs.cuts import cores


def describe(*rivals: str) -> dict:
    """Return machine, versions and BLAS kernel as a JSON-ready dict.

    `rivals` are packages that were measured beside this one, where they are installed.
    """
    blas = [
        {k: pool.get(k) for k in ("internal_api", "version", "architecture", "threading_layer")}
        for pool in blas_libraries()
    ]
    return {
        "system": f"{platform.system()} {platform.machine()}",
        "processor": _processor(),
        "cores": cores(),
        "python": platform.python_version(),
        "numpy": np.__version__,
        "blas": blas,
        "sgdni": __version__,
        **{name: version(name) for name in rivals if find_spec(name)},
    }


def peak_memory_mb() -> float | None:
    """Return the largest memory this process has held so far, in MB; None where unknown."""
    try:
        import resource
    except ImportError:  # Windows
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(peak / 1e6 if sys.platform == "darwin" else peak * 1024 / 1e6, 1)


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or "unknown"
