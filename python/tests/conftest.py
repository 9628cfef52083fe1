"""Compiles the sample of native operators, and puts it on the class path of the JVM to come."""

import os
import pathlib
import shutil
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "python" / "src"))

try:
    import torch  # noqa: F401
except ImportError:
    collect_ignore_glob = ["test_*.py"]
    print("tests of the Python package skipped: PyTorch is not installed")
else:

    @pytest.fixture(scope="session", autouse=True)
    def sample(tmp_path_factory):
        from gpuos import _jvm

        classes = tmp_path_factory.mktemp("classes")
        tests = ROOT / "bridge" / "src" / "test"
        compiler = [_jvm._jdk() / "bin" / "javac", "-d", classes, "-p", ROOT / "bridge/target/app"]
        source = tests / "java/io/gpuos/python/sample/SampleGraphs.java"
        subprocess.run([*compiler, "--add-modules", "io.gpuos.python", source], check=True)
        shutil.copytree(tests / "resources", classes, dirs_exist_ok=True)
        os.environ["GPUOS_JAVA_OPTIONS"] = f"-Djava.class.path={classes}"
