"""The JVM of this process: found, started or taken over, and asked once, over JNI, for the table.

ctypes does it, so no compiler is needed. `faulthandler` and a JVM both claim SIGSEGV, which a JVM
uses in normal operation: with it enabled a warning is given.
"""

import ctypes
import faulthandler
import os
import pathlib
import re
import warnings

from gpuos.errors import GpuosError

_BRIDGE = "io/gpuos/python/Bridge"
_JNI_VERSION = 0x00150000
_MINIMUM = (25, 0, 3)
_HERE = pathlib.Path(__file__).resolve().parent

# Indices in the tables of JNI's specification, chapters 4 and 5.
_ATTACH_AS_DAEMON = 7
_FIND_CLASS, _EXCEPTION_OCCURRED, _EXCEPTION_CLEAR = 6, 15, 17
_GET_STATIC_METHOD, _CALL_STATIC_LONG = 113, 134


class _Option(ctypes.Structure):
    _fields_ = [("text", ctypes.c_char_p), ("extra", ctypes.c_void_p)]


class _Arguments(ctypes.Structure):
    _fields_ = [
        ("version", ctypes.c_int),
        ("count", ctypes.c_int),
        ("options", ctypes.POINTER(_Option)),
        ("ignore_unknown", ctypes.c_ubyte),
    ]


def table():
    """The address of the bridge's table of functions. Starts a JVM if the process has none."""
    present = _loaded_libjvm()
    if present:
        vm = _running(ctypes.CDLL(present))
        if vm:
            return _ask(_attach(vm))
    if faulthandler.is_enabled():
        warnings.warn(
            "gpuos: faulthandler is enabled, and the JVM uses the same signals: do not disable or"
            " enable it from now on, or start Python without it (pytest -p no:faulthandler)",
            RuntimeWarning,
            stacklevel=2,
        )
    home, modules, options = _application()
    library = home / "lib" / "server" / "libjvm.so"
    return _ask(_start(ctypes.CDLL(str(library), mode=ctypes.RTLD_GLOBAL), modules, options))


def _application():
    """Java's home, the directory of the jars and the file of options: of the wheel, or a checkout."""
    if (_HERE / "_runtime" / "lib" / "server" / "libjvm.so").exists():
        return _HERE / "_runtime", _HERE / "_jars", _HERE / "_runtime" / "jvm.options"
    checkout = _HERE.parents[2]
    modules = checkout / "bridge" / "target" / "app"
    if not (modules / "gpuos-bridge.jar").exists():
        raise GpuosError(
            f"no runtime: searched={_HERE / '_runtime'} and {modules}, expected=a Java runtime;"
            " install the wheel of ./gpuos dist, or run ./gpuos build in the checkout"
        )
    return _jdk(), modules, checkout / "tools" / "jvm.options"


def _jdk():
    named = os.environ.get("GPUOS_JAVA_HOME")
    if named:
        if not (pathlib.Path(named) / "lib" / "server" / "libjvm.so").exists():
            raise GpuosError(f"no JVM: GPUOS_JAVA_HOME={named}, expected=a JDK 25.0.3 or newer")
        return pathlib.Path(named)
    homes = [pathlib.Path(os.environ["JAVA_HOME"])] if os.environ.get("JAVA_HOME") else []
    homes += sorted(pathlib.Path("/usr/lib/jvm").glob("*"))
    for home in homes:
        if (home / "lib" / "server" / "libjvm.so").exists() and _version(home) >= _MINIMUM:
            return home
    raise GpuosError(
        "no JVM: found=none, expected=a JDK 25.0.3 or newer; install one and set GPUOS_JAVA_HOME"
    )


def _version(home):
    try:
        found = re.search(r'^JAVA_VERSION="([\d.]+)', (home / "release").read_text(), re.M)
    except OSError:
        return ()
    return tuple(int(part) for part in found[1].split(".") if part) if found else ()


def _start(jvm, modules, option_file):
    texts = [
        line.strip()
        for line in option_file.read_text().splitlines()
        if line.strip() and not line.startswith("#") and "--enable-native-access" not in line
    ]
    texts += [
        "-Xrs",
        f"--module-path={modules}",
        "--add-modules=io.gpuos.python",
        "--enable-native-access=io.gpuos,io.gpuos.python",
    ]
    texts += os.environ.get("GPUOS_JAVA_OPTIONS", "").split()
    options = (_Option * len(texts))(*[_Option(text.encode(), None) for text in texts])
    arguments = _Arguments(_JNI_VERSION, len(texts), options, 0)
    vm, env = ctypes.c_void_p(), ctypes.c_void_p()
    code = jvm.JNI_CreateJavaVM(ctypes.byref(vm), ctypes.byref(env), ctypes.byref(arguments))
    if code != 0:
        raise GpuosError(
            f"JVM does not start: code={code}, options={' '.join(texts)},"
            " expected=options the JVM takes; its own message is on standard error"
        )
    return env


def _loaded_libjvm():
    """Path of a libjvm that this process has loaded already."""
    with open("/proc/self/maps", encoding="utf-8", errors="surrogateescape") as maps:
        for line in maps:
            if line.rstrip().endswith("/libjvm.so"):
                return line.rstrip().split(None, 5)[5]
    return None


def _running(jvm):
    vm, count = ctypes.c_void_p(), ctypes.c_int()
    jvm.JNI_GetCreatedJavaVMs(ctypes.byref(vm), 1, ctypes.byref(count))
    return vm if count.value else None


def _function(table_of, index, result, *parameters):
    functions = ctypes.cast(
        ctypes.cast(table_of, ctypes.POINTER(ctypes.c_void_p))[0], ctypes.POINTER(ctypes.c_void_p)
    )
    kind = ctypes.CFUNCTYPE(result, ctypes.c_void_p, *parameters)
    return lambda *arguments: kind(functions[index])(table_of, *arguments)


def _attach(vm):
    env = ctypes.c_void_p()
    attach = _function(vm, _ATTACH_AS_DAEMON, ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)
    if attach(ctypes.byref(env), None) != 0:
        raise GpuosError("JVM already here: found=one that refuses this thread, expected=a live one")
    return env


def _ask(env):
    pointer, text = ctypes.c_void_p, ctypes.c_char_p
    bridge = _function(env, _FIND_CLASS, pointer, text)(_BRIDGE.encode())
    method = bridge and _function(env, _GET_STATIC_METHOD, pointer, pointer, text, text)(
        bridge, b"table", b"()J"
    )
    address = method and _function(
        env, _CALL_STATIC_LONG, ctypes.c_int64, pointer, pointer, pointer
    )(bridge, method, None)
    if _function(env, _EXCEPTION_OCCURRED, pointer)() or not address:
        _function(env, _EXCEPTION_CLEAR, None)()
        raise GpuosError(
            "JVM without the bridge: missing=io.gpuos.python.Bridge, expected=a JVM 25 with"
            " gpuos-runtime.jar and gpuos-bridge.jar on its class path or among its modules"
        )
    return address
