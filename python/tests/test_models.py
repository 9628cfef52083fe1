"""All calls of models, forward, backward and optimizer, run natively on the CPU, and are right.

In a process of its own: the JVM of the other tests knows a sample of operators only.
"""

import os
import pathlib
import subprocess
import sys

import pytest

TESTS = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(TESTS))

from native_operators import CASES  # noqa: E402


@pytest.fixture(scope="module")
def said():
    environment = {k: v for k, v in os.environ.items() if k != "GPUOS_JAVA_OPTIONS"}
    environment["PYTHONPATH"] = str(TESTS.parent / "src")
    said = {}
    for name in CASES:
        said[name] = None
    remaining = list(CASES)
    while remaining:
        done = subprocess.run(
            [sys.executable, TESTS / "native_operators.py", *remaining],
            env=environment,
            capture_output=True,
            text=True,
            timeout=600,
        )
        passed = [line[8:] for line in done.stdout.splitlines() if line.startswith("native: ")]
        remaining = remaining[len(passed) :]
        if remaining:
            said[remaining.pop(0)] = done.stdout + done.stderr
    return said


@pytest.mark.parametrize("name", CASES)
def test_is_native_and_agrees_with_pytorch(said, name):
    assert said[name] is None, said[name]
