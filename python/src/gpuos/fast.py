"""Entries in the extension: what it is told of one, so that it replays it without Python.

It serves entries of one native program. Whatever it does not serve, or does not recognise in a call,
the Python side of the entry does.
"""

import functools

import torch
from torch.utils._pytree import tree_flatten, tree_unflatten

from gpuos import _bridge, _native, plan, state
from gpuos.entry import Entry

# Signatures tried one after the other; those beyond are looked up in Python.
_MOST = 64
_RESULTS = ("argument", "constant", "effect", "held", "place", "same")


class Interpreted:
    """Calls of an object where there is no extension: all of them by its method `_call`."""

    _replayed = 0

    def __call__(self, *args, **kwargs):
        return self._call(*args, **kwargs)


@functools.cache
def kind(base):
    """A class of the base, whose calls try plans first where there is the extension."""
    native = _native.module()
    bases = (native.Plans, base) if native else (Interpreted, base)
    return type(base.__name__, bases, {"__module__": base.__module__, "__doc__": base.__doc__})


def add(compiled, entry, args, kwargs, leaves):
    """Adds a plan of an entry that was just recorded with these arguments, if it can have one."""
    if isinstance(compiled, Interpreted) or compiled._plans >= _MOST or not _is_served(entry):
        return
    try:
        compiled._add(_told(entry, args, kwargs, leaves))
    except ValueError:
        pass  # Python replays it


def _is_served(entry):
    if type(entry) is not Entry or len(entry.segments) != 1 or type(entry.segments[0]) is not plan.Native:
        return False
    return all(kind in _RESULTS for kind, _ in entry.results)


def _told(entry, args, kwargs, leaves):
    (segment,) = entry.segments
    flat, spec = tree_flatten(entry.eager)
    made = {number: k for k, (number, _, _) in enumerate(entry.allocated)}
    return {
        "args": args,
        "kwargs": kwargs,
        "leaves": leaves,
        "links": entry.snapshot.links,
        "tensors": entry.snapshot.tensors,
        "same": state.is_same,
        "watched": entry._watched(leaves),
        "gradients": [_gradient(form) for form in entry.grad_forms],
        "sources": [_source(leaves, *source) for source in entry.sources],
        "touched": entry.touched,
        "allocations": [_allocation(entry, *one) for one in entry.allocated],
        "addressed": segment.addressed,
        "program": segment.program.handle,
        "replay": _bridge.address("replay"),
        "device": torch.empty(0, device=segment.device),
        "stream": _stream(segment.device),
        "fail": _bridge.fail,
        "effects": [(k, _place(place, made)) for k, place in entry.effects],
        "results": [_result(kind, what, made) for kind, what in entry.results],
        "example": entry.eager,
        "flat": flat,
        "unflatten": functools.partial(tree_unflatten, treespec=spec),
        "entry": entry,
    }


def _gradient(form):
    return None if form is None else (form[0], torch.empty(0, dtype=form[1]), *form[2:])


def _source(leaves, number, kind, what):
    if kind == "argument":
        return number, kind, leaves[what]
    if kind == "constant":
        return number, kind, torch.empty(0, dtype=torch.uint8, device=what.device).set_(what)
    return number, kind, what


def _allocation(entry, number, size, device):
    """Number, bytes, a tensor in memory of the same kind, and whether it is that very memory."""
    fixed = entry.fixed(number, size, device)
    if fixed is None:
        return number, size, torch.empty(1, dtype=torch.uint8, device=device), False
    with torch.no_grad():
        return number, size, torch.empty(0, dtype=torch.uint8, device=device).set_(fixed), True


def _place(place, made):
    if place.storage not in made:
        raise ValueError("a result in memory that is not allocated before")
    example = torch.empty(0, dtype=place.dtype)
    return made[place.storage], example, place.offset, place.sizes, place.strides


def _result(kind, what, made):
    return (kind, _place(what, made)) if kind == "place" else (kind, what)


def _stream(device):
    return None if device.type == "cpu" else functools.partial(plan.current_stream, device)
