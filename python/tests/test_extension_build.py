"""The extension is built once, by whom and where it may be, and without it everything works."""

import os
import pathlib
import subprocess
import sys

import pytest

from gpuos import _native

TESTS = pathlib.Path(__file__).resolve().parent
needs_extension = pytest.mark.skipif(_native.module() is None, reason="no extension")

PROBE = "from gpuos import _native; m = _native.module(); print('loaded' if m else 'none')"


def environment(**variables):
    source = str(TESTS.parent / "src")
    return {**os.environ, "PYTHONPATH": source, "GPUOS_NATIVE": "1", **variables}


def run_python(*arguments, **variables):
    return subprocess.run(
        [sys.executable, *arguments],
        env=environment(**variables),
        capture_output=True,
        text=True,
        timeout=300,
        cwd=TESTS.parent,
    )


@pytest.fixture
def compiler(tmp_path):
    """A compiler that is slow, notes each run, and gives the extension of this process."""
    built = pathlib.Path(_native.module().__file__)
    script, log = tmp_path / "cxx", tmp_path / "log"
    script.write_text(
        f'#!/bin/sh\necho run >> {log}\nsleep 1\n'
        'while [ "$1" != -o ]; do shift; done\n'
        f'cp {built} "$2"\n'
    )
    script.chmod(0o755)
    return script, log


@needs_extension
def test_is_built_once_by_several_processes(compiler, tmp_path):
    script, log = compiler
    cache = tmp_path / "deep" / "cache"
    variables = environment(CXX=str(script), GPUOS_CACHE=str(cache))
    command = [sys.executable, "-c", PROBE]
    runs = [
        subprocess.Popen(command, env=variables, stdout=-1, stderr=-1, text=True) for _ in range(3)
    ]
    told = [run.communicate(timeout=200) for run in runs]
    assert [out.strip() for out, _ in told] == ["loaded"] * 3, told
    assert log.read_text().count("run") == 1
    assert sum("compiling the native extension" in err for _, err in told) == 1
    assert cache.stat().st_mode & 0o777 == 0o700
    assert [path.suffix for path in (cache / "native").iterdir() if path.name != "lock"] == [".so"]


@needs_extension
@pytest.mark.parametrize("cache", ["unwritable", "open", "file"])
def test_does_without_a_usable_cache(compiler, tmp_path, cache):
    script, log = compiler
    place, temporary = tmp_path / "cache", tmp_path / "tmp"
    temporary.mkdir()
    if cache == "file":
        place.write_text("")
    elif cache == "open":
        place.mkdir()
        place.chmod(0o777)
    else:
        place = pathlib.Path("/proc/self/gpuos")
    variables = {"CXX": str(script), "GPUOS_CACHE": str(place), "TMPDIR": str(temporary)}
    for _ in range(2):
        assert run_python("-c", PROBE, **variables).stdout.strip() == "loaded"
    assert log.read_text().count("run") == 1


def test_does_without_a_compiler(tmp_path):
    # Nor one that was built before, in the place that serves where the cache does not.
    variables = {"CXX": "false", "GPUOS_CACHE": str(tmp_path / "cache"), "TMPDIR": str(tmp_path)}
    done = run_python("-c", PROBE, **variables)
    assert done.stdout.strip() == "none"
    assert done.stderr.count("no native extension") == 1 and "code=1" in done.stderr
    variables |= {"CXX": "", "PATH": str(tmp_path)}
    done = run_python("-c", PROBE, **variables)
    assert done.stdout.strip() == "none" and "expected=a C++ compiler" in done.stderr


def test_says_that_it_is_turned_off():
    done = run_python("-c", f"{PROBE}; _native.module()", GPUOS_NATIVE="0")
    assert done.stdout.strip() == "none" and done.stderr.count("GPUOS_NATIVE=0") == 1


def test_the_same_tests_pass_without_it():
    if os.environ.get("GPUOS_NATIVE") == "0":
        pytest.skip("this is the run without it")
    done = run_python(
        *("-m", "pytest", "-q", "-x"),
        *(TESTS / f"test_{name}.py" for name in ("compile", "extension", "dispatch")),
        GPUOS_NATIVE="0",
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_wheel_carries_the_sources():
    sys.path.insert(0, str(TESTS.parent / "backend"))
    try:
        import gpuos_build
    finally:
        sys.path.pop(0)
    carried = {path.relative_to(gpuos_build.SOURCES) for path in gpuos_build._files(gpuos_build.SOURCES)}
    for name in ("module.cpp", "intercept.cpp", "plan.h", "scope.h"):
        assert pathlib.Path("gpuos/native") / name in carried
