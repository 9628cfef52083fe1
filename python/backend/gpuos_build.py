"""Builds the wheel with nothing but Python: a backend for pip, and a command for ./gpuos dist.

The Java runtime and the jars come from target/wheel of the checkout, where ./gpuos dist puts them.
"""

import base64
import hashlib
import os
import pathlib
import sys
import zipfile

NAME, VERSION = "gpuos", "0.1.0"
ROOT = pathlib.Path(__file__).resolve().parents[2]
PAYLOAD = ROOT / "target" / "wheel"
SOURCES = ROOT / "python" / "src"
# Where it has to travel, as the archive of the command line.
LIMIT_BYTES = 60_000_000


def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    """PEP 517: the wheel with everything in it."""
    if not (PAYLOAD / "_runtime" / "lib" / "server" / "libjvm.so").exists():
        raise SystemExit(f"gpuos: no Java runtime: searched={PAYLOAD}, expected=one; run ./gpuos dist")
    tag = f"py3-none-linux_{os.uname().machine}"
    files = {path.relative_to(SOURCES).as_posix(): path for path in _files(SOURCES)}
    for path in _files(PAYLOAD):
        files[f"gpuos/{path.relative_to(PAYLOAD).as_posix()}"] = path
    return _write(pathlib.Path(wheel_directory), tag, files, {})


def build_editable(wheel_directory, config_settings=None, metadata_directory=None):
    """PEP 660: a link to the sources; Java comes from the checkout."""
    return _write(pathlib.Path(wheel_directory), "py3-none-any", {}, {f"{NAME}.pth": f"{SOURCES}\n"})


def _files(directory):
    skipped = {"__pycache__"}
    return sorted(
        path for path in directory.rglob("*") if path.is_file() and not skipped & set(path.parts)
    )


def _write(directory, tag, files, texts):
    wheel = f"{NAME}-{VERSION}-{tag}.whl"
    info = f"{NAME}-{VERSION}.dist-info"
    texts = texts | {
        f"{info}/METADATA": (
            f"Metadata-Version: 2.1\nName: {NAME}\nVersion: {VERSION}\n"
            "Summary: Runs many small PyTorch operations through resident workers\n"
            "License: Apache-2.0\nRequires-Python: >=3.10\n"
        ),
        f"{info}/entry_points.txt": f"[torch_dynamo_backends]\n{NAME} = gpuos.backend:backend\n",
        f"{info}/WHEEL": (
            f"Wheel-Version: 1.0\nGenerator: {NAME}\n"
            f"Root-Is-Purelib: {'true' if tag.endswith('any') else 'false'}\nTag: {tag}\n"
        ),
    }
    records = []
    aside = directory / f".{wheel}"
    with zipfile.ZipFile(aside, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, path in sorted(files.items()):
            mode = 0o755 if os.access(path, os.X_OK) else 0o644
            records.append(_add(archive, name, path.read_bytes(), mode))
        for name, text in sorted(texts.items()):
            records.append(_add(archive, name, text.encode(), 0o644))
        records.append(f"{info}/RECORD,,")
        _add(archive, f"{info}/RECORD", "".join(f"{line}\n" for line in records).encode(), 0o644)
    size = aside.stat().st_size
    if size >= LIMIT_BYTES:
        aside.unlink()
        raise SystemExit(f"gpuos: wheel too large: bytes={size}, expected=below {LIMIT_BYTES}")
    aside.replace(directory / wheel)
    return wheel


def _add(archive, name, data, mode):
    entry = zipfile.ZipInfo(name, (2026, 1, 1, 0, 0, 0))
    entry.external_attr = (0o100000 | mode) << 16
    entry.compress_type = zipfile.ZIP_DEFLATED
    archive.writestr(entry, data)
    digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
    return f"{name},sha256={digest},{len(data)}"


if __name__ == "__main__":
    out = pathlib.Path(sys.argv[1])
    built = out / build_wheel(out)
    print(built, built.stat().st_size, "bytes")
