"""The ways in which a sample is called."""

import torch
from torch.utils._pytree import tree_flatten, tree_leaves, tree_map, tree_unflatten

from gpuos.conformance import database
from gpuos.conformance.memory import copied, tensors

VARIANTS = ("function", "in place", "out", "gradient")


class Skipped(Exception):
    """PyTorch itself has no such call."""


class Case:
    """A function of leaves: `call(*leaves)` gives results, and may write to leaves."""

    def __init__(self, variant, call, leaves):
        self.variant = variant
        self.call = call
        self.leaves = leaves


def case(op, variant, sample, seed):
    """A sample called in one way, with memory of its own.

    Raises:
        Skipped: if there is no such variant of the operator, or PyTorch refuses the sample
    """
    given, spec = tree_flatten((sample.input, sample.args, sample.kwargs))
    given = copied(given)
    if variant == "function":
        return Case(variant, _apart(_function(op, spec)), given)
    if variant == "gradient":
        return _gradient(op, sample, spec, given, seed)
    if any(leaf.requires_grad for leaf in tensors(given)):
        raise Skipped("gradients of what is written")
    if variant == "in place":
        inplace = op.get_inplace()
        if inplace is None or sample.broadcasts_input:
            raise Skipped("no variant in place")
        return Case(variant, _function(inplace, spec), given)
    if not op.supports_out:
        raise Skipped("no variant with out=")
    return _out(op, spec, given, seed)


def run(call, leaves, seed):
    """What PyTorch gives for leaves, which it may write to."""
    database.seed_all(seed)
    try:
        return call(*leaves)
    except Exception as error:
        raise Skipped(f"PyTorch raises {type(error).__name__}") from error


def _function(function, spec):
    def call(*leaves):
        value, args, kwargs = tree_unflatten(leaves, spec)
        return function(value, *args, **kwargs)

    return call


def _apart(call):
    """Results that are memory of the arguments are read, as a caller would."""

    def apart(*leaves):
        return tree_map(lambda value: _own(value, leaves), call(*leaves))

    return apart


def _own(value, leaves):
    if not isinstance(value, torch.Tensor):
        return value
    roots = [_root(leaf) for leaf in leaves if isinstance(leaf, torch.Tensor)]
    return value.clone() if any(_root(value) is root for root in roots) else value


def _root(tensor):
    while tensor._base is not None:
        tensor = tensor._base
    return tensor


def _out(op, spec, given, seed):
    shapes = run(_function(op, spec), copied(given), seed)
    if isinstance(shapes, torch.Tensor):
        several, outs = None, [shapes]
    else:
        several, outs = type(shapes), list(shapes) if isinstance(shapes, (tuple, list)) else []
    if not outs or not all(isinstance(out, torch.Tensor) for out in outs):
        raise Skipped("no tensors as results")
    outs = [torch.zeros_like(out) for out in outs]
    count = len(outs)

    def call(*leaves):
        value, args, kwargs = tree_unflatten(leaves[count:], spec)
        out = leaves[0] if several is None else leaves[:count]
        return op(value, *args, **kwargs, out=out)

    return Case("out", call, [*outs, *given])


def _gradient(op, sample, spec, given, seed):
    forward = _function(op, spec)

    def outputs(leaves):
        result = sample.output_process_fn_grad(forward(*leaves))
        found = [value for value in tree_leaves(result) if isinstance(value, torch.Tensor)]
        return found, [value for value in found if value.requires_grad]

    found, wanted = run(lambda *leaves: outputs(leaves), copied(given), seed)
    sources = [k for k, leaf in enumerate(given) if isinstance(leaf, torch.Tensor) and leaf.requires_grad]
    if not wanted or not sources:
        raise Skipped("no gradient")
    if any(value.is_complex() for value in found):
        raise Skipped("complex results")
    database.seed_all(seed + 1)
    with torch.no_grad():
        grads = [torch.empty_like(value).normal_() for value in wanted]
    count = len(grads)

    def call(*leaves):
        given = leaves[count:]
        found, wanted = outputs(given)
        grads = torch.autograd.grad(wanted, [given[k] for k in sources], leaves[:count], allow_unused=True)
        return [_own(value, leaves).detach() for value in found], grads

    return Case("gradient", _apart(call), [*grads, *given])
