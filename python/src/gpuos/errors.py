"""Errors of GPUOS, with the message of the Java side, one line: `rule: name=value, expected=...`."""


class GpuosError(RuntimeError):
    """Root of everything this package raises."""


class InvalidInputException(GpuosError, ValueError):
    """The caller asked for something that has no meaning; nothing was submitted."""


class DeviceException(GpuosError):
    """The device failed or is not there."""


class ResourceException(GpuosError):
    """Something is used up or closed."""


_KINDS = {kind.__name__: kind for kind in (InvalidInputException, DeviceException, ResourceException)}


def from_java(text):
    """The error of a text as the bridge gives it: names of types, nearest first, then the message."""
    names, _, message = text.partition("\n")
    for name in names.split():
        if name in _KINDS:
            return _KINDS[name](message)
    return GpuosError(message)
