"""Imported by the examples: in a checkout the package need not be installed."""

import pathlib
import sys

_SOURCES = pathlib.Path(__file__).resolve().parents[1] / "src"
if (_SOURCES / "gpuos").is_dir() and str(_SOURCES) not in sys.path:
    sys.path.insert(0, str(_SOURCES))
