"""Where a run takes place: everything that a reader needs to judge, or repeat, its numbers."""

import datetime
import os
import pathlib
import platform
import subprocess
import sys

from gpuos.bench import nvml


def checkout():
    """The checkout that this package lies in, or None."""
    root = pathlib.Path(__file__).resolve().parents[4]
    return root if (root / "gpuos").is_file() and (root / "tools").is_dir() else None


def environment(device, arguments):
    """Describes machine, versions and commit; `device` is a torch.device."""
    import torch

    found = {
        "date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "system": f"{platform.system()} {platform.release()}",
        "processor": _field("/proc/cpuinfo", "model name") or platform.processor() or "unknown",
        "processors": len(os.sched_getaffinity(0)),
        "memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "load_average": os.getloadavg()[0],
        "python": platform.python_version(),
        "torch": torch.__version__,
        "triton": _triton(),
        "gpuos": _version(),
        "commit": commit(),
        "device": str(device),
        "device_description": "threads of the processor",
        "command_line": ["python", "-m", "gpuos.bench", *arguments],
    }
    if device.type == "cuda":
        found.update(_gpu(torch, device))
    return found


def _gpu(torch, device):
    properties = torch.cuda.get_device_properties(device)
    found = {
        "device_description": f"{properties.name}, {properties.multi_processor_count} SMs,"
        f" {properties.total_memory >> 20} MiB",
        "cuda": torch.version.cuda,
        "driver": _driver(),
        "float32_matmul_precision": torch.get_float32_matmul_precision(),
    }
    found["gpu_state"] = gpu_state(device)
    return found


def gpu_state(device):
    """Clocks, power and processes now; or why they cannot be told."""
    try:
        return nvml.of_torch(device).state()
    except nvml.Unavailable as reason:
        return {"unknown": str(reason)}


def _driver():
    try:
        text = pathlib.Path("/proc/driver/nvidia/version").read_text(encoding="utf-8")
    except OSError:
        return "unknown"
    words = text.split()
    return next((word for word in words if word[0].isdigit() and word.count(".") >= 1), "unknown")


def _triton():
    try:
        import triton
    except ImportError:
        return "none"
    return triton.__version__


def _version():
    from importlib import metadata

    try:
        return metadata.version("gpuos")
    except metadata.PackageNotFoundError:
        return "checkout"


def commit():
    """The commit of the checkout, `+changes` where the tree differs; `unknown` outside of one."""
    root = checkout()
    if root is None:
        return "unknown"
    script = root / "tools" / "commit.sh"
    done = subprocess.run(["sh", script, root], capture_output=True, text=True, check=False)
    return done.stdout.strip() or "unknown"


def _field(path, name):
    try:
        lines = pathlib.Path(path).read_text(encoding="utf-8").splitlines()
    except OSError:
        return None
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith(name)), None)


def launcher():
    """The command of this installation as a list, or None.

    The one that GPUOS_COMMAND names, ./gpuos of the checkout, or gpuos on the path.
    """
    if os.environ.get("GPUOS_COMMAND"):
        return [os.environ["GPUOS_COMMAND"]]
    root = checkout()
    if root is not None:
        return [str(root / "gpuos")]
    import shutil

    found = shutil.which("gpuos")
    return [found] if found and sys.platform == "linux" else None
