"""The C++ half of the package: found in a cache, or compiled once for this PyTorch and Python.

`GPUOS_NATIVE=0` turns it off. Without it, or a compiler to make it, everything works through ctypes.
Compiled code is loaded only from folders that nobody else can write to. The compiler is called
directly: `torch.utils.cpp_extension` takes seconds to import, and needs CUDA's headers for a PyTorch
with CUDA.
"""

import contextlib
import fcntl
import hashlib
import importlib.machinery
import importlib.util
import os
import pathlib
import shutil
import stat
import subprocess
import sys
import sysconfig
import tempfile
import threading
import warnings

import torch

# Modules by what they are for, and the source of each.
_MODULES = {"gpuos_native": "module.cpp", "gpuos_intercept": "intercept.cpp"}
_SOURCES = pathlib.Path(__file__).resolve().parent / "native"
_LIBRARIES = ("c10", "torch_cpu", "torch_python")
_TIMEOUT_SECONDS = 600

_lock = threading.Lock()
_loaded = {}
# Why modules are missing, by name.
_missing = {}


class _Missing(Exception):
    """Why there is no extension, for people."""


def module():
    """The module that replays, or None; why not is said once, in a warning. Thread-safe."""
    return _get("gpuos_native")


def interception():
    """The module of scopes, or None, in the same way."""
    return _get("gpuos_intercept")


def _get(name):
    if name not in _loaded and name not in _missing:
        with _lock:
            if name not in _loaded and name not in _missing:
                try:
                    _loaded[name] = _find(name)
                except Exception as error:  # whatever it is, there is a way without
                    _miss(name, " ".join(str(error).split()) or type(error).__name__)
    return _loaded.get(name)


def _miss(name, why):
    if why not in _missing.values():
        warnings.warn(
            f"gpuos: no native extension, calls cost more: {why}", RuntimeWarning, stacklevel=4
        )
    _missing[name] = why


def _find(module):
    if os.environ.get("GPUOS_NATIVE", "1") == "0":
        raise _Missing("GPUOS_NATIVE=0")
    if getattr(sys, "_is_gil_enabled", lambda: True)() is False:
        raise _Missing("this Python has no GIL")
    compiler = shutil.which(os.environ.get("CXX") or "g++") or shutil.which("c++")
    name = f"{module}-{_key()}.so"
    for folder in _folders():
        path = folder / name
        if not path.exists():
            if compiler is None:
                continue
            with _turn(folder):
                if not path.exists():
                    _build(compiler, module, folder, path)
        _require_private(path, stat.S_ISREG)
        return _load(module, path)
    if compiler is None:
        raise _Missing("found=no g++, expected=a C++ compiler; install one")
    with tempfile.TemporaryDirectory(prefix="gpuos-") as folder:
        path = pathlib.Path(folder) / name
        _build(compiler, module, path.parent, path)
        return _load(module, path)


def _key():
    """Of everything that the compiled code depends on."""
    told = hashlib.sha256()
    for path in sorted(_SOURCES.iterdir()):
        if path.suffix in (".h", ".cpp"):
            told.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    names = (torch.__version__, torch.version.git_version, sysconfig.get_config_var("SOABI"))
    told.update("\0".join(map(str, (*names, sys.hexversion))).encode())
    told.update(" ".join(_options()).encode())
    return told.hexdigest()[:24]


def _folders():
    """Folders of this user's alone, best first: the cache, else one in the place for temporaries."""
    named, base = os.environ.get("GPUOS_CACHE"), os.environ.get("XDG_CACHE_HOME", "")
    if named:
        first = pathlib.Path(named).absolute()
    elif os.path.isabs(base):
        first = pathlib.Path(base) / "gpuos"
    else:
        first = pathlib.Path("~/.cache/gpuos").expanduser()
    for folder in (first, pathlib.Path(tempfile.gettempdir()) / f"gpuos-{os.getuid()}"):
        try:
            for part in (folder, folder / "native"):
                part.parent.mkdir(parents=True, exist_ok=True)
                with contextlib.suppress(FileExistsError):
                    part.mkdir(mode=0o700)
                _require_private(part, stat.S_ISDIR)
            if os.access(folder / "native", os.W_OK):
                yield folder / "native"
        except (OSError, RuntimeError, _Missing):
            continue


def _require_private(path, is_kind):
    found = path.lstat()
    if not is_kind(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o022:
        raise _Missing(f"cache refused: path={path}, expected=this user's, closed to other writers")


@contextlib.contextmanager
def _turn(folder):
    """One builder at a time; where the file system has no locks, each builds its own."""
    handle = os.open(folder / "lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        with contextlib.suppress(OSError):
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _options():
    abi = int(torch._C._GLIBCXX_USE_CXX11_ABI)
    return (
        "-std=c++20 -O2 -fPIC -shared -fvisibility=hidden -w".split()
        + [f"-D_GLIBCXX_USE_CXX11_ABI={abi}"]
    )


def _build(compiler, module, folder, path):
    """Compiles into a file aside, which then takes its name: nobody sees half of one."""
    root = pathlib.Path(torch.__file__).resolve().parent
    python = sysconfig.get_paths()["include"]
    if not (pathlib.Path(python) / "Python.h").exists():
        raise _Missing(f"searched={python}/Python.h, expected=Python's headers; install them")
    print(
        f"gpuos: compiling the native extension for PyTorch {torch.__version__} ({module}), once,"
        " some seconds",
        file=sys.stderr,
        flush=True,
    )
    handle, aside = tempfile.mkstemp(prefix=".building-", suffix=".so", dir=folder)
    os.close(handle)
    command = [compiler, *_options(), "-isystem", root / "include", "-isystem", python]
    command += [_SOURCES / _MODULES[module], "-o", aside]
    command += [f"-L{root / 'lib'}", "-Wl,--no-as-needed"]
    command += [f"-l{library}" for library in _LIBRARIES]
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_TIMEOUT_SECONDS,
            check=False,
        )
        if done.returncode != 0:
            lines = [line for line in done.stderr.splitlines() if "error" in line] or ["no message"]
            raise _Missing(f"compiler={compiler}, code={done.returncode}, message={lines[0]}")
        os.chmod(aside, 0o700)
        os.replace(aside, path)
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(aside)


def _load(module, path):
    loader = importlib.machinery.ExtensionFileLoader(module, str(path))
    loaded = importlib.util.module_from_spec(
        importlib.util.spec_from_file_location(module, str(path), loader=loader)
    )
    loader.exec_module(loaded)
    _teach(loaded)
    return loaded


def _teach(loaded):
    """Shows the extension tensors, so that it finds the parts of their Python objects."""
    tensors = [torch.zeros(2), torch.zeros(3, 1), torch.nn.Parameter(torch.zeros(1))]
    hooked = []
    for _ in range(2):
        tensor = torch.zeros(1, requires_grad=True)
        tensor._backward_hooks = hooks = {0: id}
        hooked.append((tensor, hooks))
    loaded.learn(
        [(tensor, tensor._cdata) for tensor in tensors],
        hooked,
        torch.Tensor,
        torch.nn.Parameter,
    )
    if hasattr(loaded, "watch"):
        loaded.watch(vars(torch.compiler), "_is_compiling_flag")
    if hasattr(loaded, "install"):
        loaded.install()
