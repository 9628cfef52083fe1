"""Writes the .npy fixtures of this directory with NumPy; see NpyFixturesTest for what they hold.

Run it here after changing it: python3 make_fixtures.py
"""

import numpy as np
from numpy.lib import format as npy

TYPES = ["f8", "f4", "f2", "i8", "i4", "i2", "i1", "u1", "b1"]
SHAPE = (2, 3, 4)


def values(kind):
    """Element i of the row-major order, as the test computes it."""
    i = np.arange(24).reshape(SHAPE)
    if kind == "b":
        return i % 3 == 0
    if kind == "u":
        return i * 11
    return i * 5 - 60 if kind == "i" else i * 0.375 - 4


def write(name, array, version):
    with open(name, "wb") as f:
        npy.write_array(f, array, version=version)


for code in TYPES:
    for end in "<>":
        dtype = np.dtype(end + code)
        if end == ">" and dtype.itemsize == 1:
            continue
        for order in "CF":
            array = values(code[0]).astype(dtype).copy(order=order)
            write(f"{code}_{'le' if end == '<' else 'be'}_{order.lower()}.npy", array, (1, 0))

for major in (1, 2, 3):
    write(f"version{major}.npy", values("f").astype("<f4"), (major, 0))

write("scalar.npy", np.float64(2.5).reshape(()), (1, 0))
write("vector.npy", np.arange(5, dtype="<i4"), (1, 0))
write("empty.npy", np.zeros((2, 0, 3), "<f4"), (1, 0))
write("rank8.npy", np.arange(6, dtype="<i2").reshape(1, 2, 1, 1, 3, 1, 1, 1), (1, 0))
write(
    "special_f2.npy",
    np.array([np.inf, -np.inf, np.nan, -0.0, 65504, 6e-8], dtype="<f2"),
    (1, 0),
)
write("complex.npy", np.zeros(2, "<c8"), (1, 0))
write("record.npy", np.zeros(2, [("a", "<f4"), ("b", "<i2")]), (1, 0))
write("text.npy", np.array(["ab", "c"]), (1, 0))
write("unsigned32.npy", np.zeros(2, "<u4"), (1, 0))
np.save("object.npy", np.array([None, 1], dtype=object), allow_pickle=True)
