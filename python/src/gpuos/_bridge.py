"""The functions of the bridge's table; the other half is io.gpuos.python.EntryPoints.

Thread-safe. A forked child has no JVM threads, and every call there raises.
"""

import atexit
import ctypes
import json
import os
import threading

from gpuos import _jvm
from gpuos.errors import GpuosError, from_java

_VERSION = 2
# Name and number of 64-bit words, in the order of the table.
_FUNCTIONS = (
    ("open", 3),
    ("close", 1),
    ("describe", 2),
    ("support", 3),
    ("compile", 6),
    ("replay", 4),
    ("explain", 2),
    ("svg", 2),
    ("release", 1),
    ("free", 1),
    ("inject", 7),
    ("infer", 3),
)

_lock = threading.RLock()
_functions = None
_devices = {}
_forked = False


def _after_fork():
    global _forked, _lock
    _lock = threading.RLock()
    _forked = _functions is not None


os.register_at_fork(after_in_child=_after_fork)


def _load():
    global _functions
    with _lock:
        if _functions is None:
            words = ctypes.cast(_jvm.table(), ctypes.POINTER(ctypes.c_int64))
            if words[0] != _VERSION or words[1] != len(_FUNCTIONS):
                raise GpuosError(
                    f"versions of package and jars: jars={words[0]}, expected={_VERSION};"
                    " install them from one build"
                )
            _functions = {
                name: ctypes.CFUNCTYPE(ctypes.c_int64, *[ctypes.c_int64] * count)(words[2 + k])
                for k, (name, count) in enumerate(_FUNCTIONS)
            }
        return _functions


def _call(name, *words):
    if _forked:
        raise GpuosError(
            "forked process: found=a JVM of the parent, expected=a process of its own; start"
            " workers with the method spawn, or fork before gpuos is used"
        )
    functions = _functions or _load()
    error = functions[name](*words)
    if error:
        fail(error)


def address(name):
    """Where a function lies, for callers in C++."""
    return ctypes.cast((_functions or _load())[name], ctypes.c_void_p).value


def fail(error):
    """Raises the error that a function gave, for callers in C++."""
    raise from_java(_take(error))


def _take(address):
    text = ctypes.string_at(address).decode()
    _functions["free"](address)
    return text


def _bytes(text):
    data = text.encode()
    return data, ctypes.cast(ctypes.c_char_p(data), ctypes.c_void_p).value, len(data)


def _text_of(name, *words):
    address = ctypes.c_int64()
    _call(name, *words, ctypes.addressof(address))
    return _take(address.value)


def device(name):
    """The handle of the runtime on `cpu` or `cuda:N`, opened once and closed at exit."""
    with _lock:
        if name not in _devices:
            data, address, length = _bytes(name)
            handle = ctypes.c_int64()
            _call("open", address, length, ctypes.addressof(handle))
            _devices[name] = handle.value
        return _devices[name]


@atexit.register
def _close():
    if not _forked:
        while _devices:
            _call("close", _devices.popitem()[1])


def describe(name):
    """What the runtime on a device says of itself, a dictionary."""
    return json.loads(_text_of("describe", device(name)))


def support(graph):
    """For each call of a graph the reason why it is not native, or an empty text."""
    data, address, length = _bytes(graph)
    return _text_of("support", address, length).split("\n")


def inject(name, body, signature):
    """Injects an operator; returns `elementwise` or `reduction`, and the names of its inputs."""
    texts = [_bytes(text) for text in (name, body, signature)]
    return _text_of("inject", *(word for text in texts for word in text[1:])).split("\n")


def infer(graph):
    """Type and shape of what a graph's first call gives: `f32 [2,3]`."""
    data, address, length = _bytes(graph)
    return _text_of("infer", address, length)


class Program:
    """A compiled graph. Released when the collector finds it."""

    def __init__(self, device_name, graph, mode):
        data, address, length = _bytes(graph)
        mode_data, mode_address, mode_length = _bytes(mode)
        handle = ctypes.c_int64()
        _call(
            "compile",
            device(device_name),
            address,
            length,
            mode_address,
            mode_length,
            ctypes.addressof(handle),
        )
        self._handle = handle.value

    @property
    def handle(self):
        """Number of the program in the bridge, valid while this object lives."""
        return self._handle

    def replay(self, addresses, stream):
        """Runs on the addresses of the graph's input and output storages, in their order."""
        words = (ctypes.c_int64 * len(addresses))(*addresses)
        _call("replay", self._handle, ctypes.addressof(words), len(addresses), stream)

    def explain(self):
        """The plan, for people."""
        return _text_of("explain", self._handle)

    def svg(self):
        """The plan as a picture."""
        return _text_of("svg", self._handle)

    def __del__(self):
        handle, self._handle = getattr(self, "_handle", None), None
        if handle and not _forked and _functions:
            try:
                _call("release", handle)
            except GpuosError:
                pass  # the runtime is closed: so is the program
