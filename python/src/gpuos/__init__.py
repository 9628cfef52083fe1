"""GPUOS for PyTorch: functions of many small operations, recorded once and replayed as programs.

    step = gpuos.compile(step)

`compile` says what is recorded, `explain` what became of it. The JVM that does the work lives in
this process and starts with the first recording.
"""

from gpuos import backend as _backend
from gpuos.compiled import compile, explain
from gpuos.errors import DeviceException, GpuosError, InvalidInputException, ResourceException
from gpuos.injected import inject
from gpuos.scope import dispatch

__all__ = [
    "DeviceException",
    "GpuosError",
    "InvalidInputException",
    "ResourceException",
    "compile",
    "dispatch",
    "explain",
    "inject",
]

_backend.register()
