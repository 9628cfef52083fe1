"""The native operators under real models, in a process whose JVM knows no sample of operators."""

import os
import pathlib
import subprocess
import sys

TESTS = pathlib.Path(__file__).resolve().parent


def test_models_agree_with_pytorch():
    environment = {k: v for k, v in os.environ.items() if k != "GPUOS_JAVA_OPTIONS"}
    environment["PYTHONPATH"] = str(TESTS.parent / "src")
    done = subprocess.run(
        [sys.executable, TESTS / "native_models.py"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "native models agree" in done.stdout
