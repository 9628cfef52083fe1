"""Operators and samples of torch.testing._internal."""

import importlib.util
import random
import sys
import types
import unittest

import torch

# In the order in which they are checked.
DTYPES = {
    "float32": torch.float32,
    "float16": torch.float16,
    "bfloat16": torch.bfloat16,
    "int64": torch.int64,
    "bool": torch.bool,
}


def operators():
    """The entries of PyTorch's database by name, variants of their tests told apart."""
    if importlib.util.find_spec("expecttest") is None:
        # PyTorch's tests are written with it; its database only names it.
        module = types.ModuleType("expecttest")
        module.TestCase = unittest.TestCase
        module.assert_expected_inline = None
        sys.modules["expecttest"] = module
    from torch.testing._internal.common_methods_invocations import op_db

    named = {}
    for op in op_db:
        name = op.name + ("." + op.variant_test_name if op.variant_test_name else "")
        while name in named:
            name += "'"
        named[name] = op
    return named


def dtypes(op, device):
    """Names of the dtypes that the operator has on a device."""
    supported = op.supported_dtypes(torch.device(device).type)
    return [name for name, dtype in DTYPES.items() if dtype in supported]


def seed_all(seed):
    torch.manual_seed(seed)
    random.seed(seed)
    try:
        import numpy
    except ImportError:
        return
    numpy.random.seed(seed % 2**32)


def samples(op, device, dtype, gradients, seed):
    """All samples of an operator; the same ones for the same seed."""
    seed_all(seed)
    return list(op.sample_inputs(device, dtype, requires_grad=gradients))


def has_gradient(op, device, dtype):
    return (
        dtype.is_floating_point
        and op.supports_autograd
        and dtype in op.supported_backward_dtypes(torch.device(device).type)
    )


def tolerances(op, dtype):
    """The widest tolerance that PyTorch's own tests have for the operator, or none."""
    found = {}
    for decorator in getattr(op, "decorators", None) or ():
        for inner in getattr(decorator, "decorators", None) or (decorator,):
            given = getattr(inner, "overrides", {}).get(dtype)
            if given is not None and hasattr(given, "rtol"):
                found["rtol"] = max(found.get("rtol", 0), given.rtol)
                found["atol"] = max(found.get("atol", 0), given.atol)
    return found
