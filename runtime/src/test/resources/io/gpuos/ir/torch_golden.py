"""Writes torch_types.txt and torch_values.txt: what PyTorch answers, for the tests of this package.

Run with PyTorch on a CPU (the files came from 1.13.1):  python3 torch_golden.py
"""

import itertools
import math
import warnings

import torch
import torch.nn.functional as F

warnings.filterwarnings("ignore")

TYPES = {
    "f64": torch.float64, "f32": torch.float32, "f16": torch.float16, "bf16": torch.bfloat16,
    "i64": torch.int64, "i32": torch.int32, "i16": torch.int16, "i8": torch.int8,
    "u8": torch.uint8, "bool": torch.bool,
}
NAMES = {dtype: name for name, dtype in TYPES.items()}
FEW = ["f64", "f32", "bf16", "i64", "u8", "bool"]
LITERALS = {"2": 2, "2.5": 2.5, "true": True}

UNARY = (
    "neg abs sign floor ceil round trunc reciprocal exp exp2 expm1 log log2 log10 log1p sqrt rsqrt "
    "sin cos tan asin acos atan sinh cosh tanh asinh acosh atanh erf erfc lgamma sigmoid relu "
    "isnan isinf isfinite logical_not bitwise_not"
).split()
ACTIVATIONS = (
    "relu6 leaky_relu elu selu celu gelu silu mish softplus hardtanh hardsigmoid hardswish"
).split()
BINARY = (
    "sub mul div floor_divide remainder fmod pow atan2 hypot maximum minimum eq lt "
    "logical_and logical_xor bitwise_and bitwise_or"
).split()
SHIFTS = {"shift_left": torch.bitwise_left_shift, "shift_right": torch.bitwise_right_shift}
REDUCERS = "sum mean prod max min argmax argmin any all norm var std".split()


def function(name):
    return SHIFTS.get(name) or getattr(torch, name, None) or getattr(F, name)


def operand(text, device):
    if text in LITERALS:
        return LITERALS[text]
    shape = () if text.endswith("()") else (2,)
    return torch.ones(shape, dtype=TYPES[text.removesuffix("()")], device=device)


def answer_on(device, name, operands):
    value = function(name)(*[operand(o, device) for o in operands])
    return NAMES[value.dtype]


def result(name, operands):
    """Type of the result, "error", or None where the Python binding takes no literal there."""
    try:
        return answer_on("cpu", name, operands)
    except Exception as error:
        text = str(error)
    if "must be Tensor" in text or "invalid combination" in text:
        return None
    if "'Half'" not in text and "'BFloat16'" not in text:
        return "error"
    # No CPU kernel for the half type, which other devices may have: is there one for float?
    wide = [o.replace("bf16", "f32").replace("f16", "f32") for o in operands]
    if result(name, wide) == "error":
        return "error"
    return answer_on("meta", name, operands)


def types():
    for name, dtype in itertools.product(UNARY + ACTIVATIONS + REDUCERS, TYPES):
        yield name, [dtype]
    every = list(TYPES) + [t + "()" for t in TYPES] + list(LITERALS)
    for a, b in itertools.product(every, every):
        if not (a in LITERALS and b in LITERALS):
            yield "add", [a, b]
    for name in BINARY + list(SHIFTS):
        for a, b in itertools.product(FEW + list(LITERALS), FEW + list(LITERALS)):
            if not (a in LITERALS and b in LITERALS):
                yield name, [a, b]
    for a, b in itertools.product(FEW + list(LITERALS), FEW + list(LITERALS)):
        yield "where", ["bool", a, b]
    yield "where", ["f32", "f32", "f32"]
    for x, low, high in itertools.product(FEW, ["2", "2.5", "f32"], ["2", "2.5", "f32"]):
        if (low == "f32") == (high == "f32"):
            yield "clamp", [x, low, high]


def write_types():
    with open("torch_types.txt", "w") as out:
        out.write("# function operands: result. f32: tensor; f32(): without dimensions\n")
        for name, operands in types():
            # Not asked: uint8 keeps uint8 in any and all; literals that PyTorch would wrap.
            if name in ("any", "all") and operands == ["u8"]:
                continue
            if name == "hardtanh" and operands == ["u8"]:
                continue
            answer = result(name, operands)
            if answer:
                out.write(f"{name} {' '.join(operands)}: {answer}\n")


POINTS = [-30.0, -3.5, -1.0, -0.75, -0.5, -1e-3, -0.0, 0.0, 1e-9, 0.25, 0.5, 1.0, 1.5, 2.5, 7.0, 25.0]
PAIRS = [(7.5, 2.0), (-7.5, 2.0), (7.5, -2.0), (-7.5, -2.0), (1.0, 0.0), (-1.0, 0.0), (0.0, 0.0),
         (0.0, -3.0), (1e300, 1e-5), (0.1, 3.0), (-8.0, 3.0), (-8.0, 0.5), (2.0, -1.0), (1.0, math.nan),
         (math.nan, 1.0), (-1.0, math.inf), (math.inf, 2.0), (2.0, math.inf), (-2.0, math.inf)]
EXTRA = {"leaky_relu": [0.2], "elu": [1.5], "celu": [2.0], "softplus": [2.0, 20.0],
         "hardtanh": [-0.5, 2.0], "clamp": [-0.5, 2.0]}
INTEGERS = [-128, -7, -2, -1, 0, 1, 2, 3, 7, 127]


def show(value):
    return repr(value).lower()


def call(name, numbers, dtype):
    tensors = [torch.tensor([n], dtype=dtype) for n in numbers]
    if name == "gelu_tanh":
        return F.gelu(tensors[0], approximate="tanh")
    if name in EXTRA:
        return function(name)(tensors[0], *numbers[1:])
    return function(name)(*tensors)


def write_values():
    floating = [n for n in UNARY + ACTIVATIONS if n not in ("bitwise_not", "logical_not")]
    pairs = [n for n in BINARY if not n.startswith(("logical", "bitwise"))] + ["add", "ge", "ne"]
    integral = ["add", "sub", "mul", "floor_divide", "remainder", "fmod", "pow", "maximum", "minimum",
                "lt", "bitwise_and", "bitwise_or", "bitwise_xor"]
    with open("torch_values.txt", "w") as out:
        out.write("# type function arguments: value\n")
        for name in floating + ["gelu_tanh", "clamp"]:
            for x in POINTS + [math.inf, -math.inf, math.nan]:
                if name == "sign" and math.isnan(x):
                    continue
                numbers = [x] + EXTRA.get(name, [])
                value = call(name, numbers, torch.float64).item()
                out.write(f"f64 {name} {' '.join(map(show, numbers))}: {show(value)}\n")
        for name in pairs:
            for numbers in PAIRS:
                value = call(name, numbers, torch.float64).item()
                out.write(f"f64 {name} {' '.join(map(show, numbers))}: {show(value)}\n")
        for name, dtype in itertools.product(integral, ["i8", "i64"]):
            for numbers in itertools.product(INTEGERS, INTEGERS):
                if name in ("floor_divide", "remainder", "fmod") and numbers[1] == 0:
                    continue
                if name in ("floor_divide", "fmod", "remainder") and numbers == (-128, -1):
                    continue
                value = call(name, numbers, TYPES[dtype]).item()
                out.write(f"{dtype} {name} {' '.join(map(show, numbers))}: {show(value)}\n")
        for name, n in itertools.product(["neg", "abs", "sign", "bitwise_not", "relu"], INTEGERS):
            out.write(f"i8 {name} {n}: {call(name, [n], torch.int8).item()}\n")


write_types()
write_values()
