"""Autograd through a compiled function: one program forward, one backward.

The function is recorded on detached twins of its arguments, then the backward pass of what it
returned, on the same memory. The calls of both make one trace, cut where the function returned;
what the second half reads of the first is kept from one program to the other.
"""

import copy
import gc

import torch
from torch.utils._pytree import tree_flatten, tree_unflatten

from gpuos import plan
from gpuos.entry import _CONSTANTS, Entry, _aliases, _distinct, _form, _grad
from gpuos.errors import GpuosError
from gpuos.state import Snapshot, facts
from gpuos.trace import Place, Refused, Tracer, Watch, check_kind

_TWICE = b"""gpuos.compile: a gradient of a gradient: found=a recorded backward pass, \
expected=one that is differentiated once; call the function itself, not the compiled one"""


class GradEntry(Entry):
    """A recorded signature whose results need gradients. Made by `record`, as Entry.

    `self.eager` is what the call returned, with a backward pass of its own.
    """

    def __init__(self, fn, args, kwargs, leaves, mode):
        self.reason = None
        self.segments = []
        self.static = None
        try:
            self._look(fn, leaves)
        except Refused as refused:
            self.reason = str(refused)
            self.eager = fn(*args, **kwargs)
            return
        watched = self._watched(leaves)
        before = [_grad(tensor) for tensor in watched]
        forms = [facts(tensor) for tensor in watched]
        self.aliases = _aliases(watched)
        at = {id(tensor): k for k, tensor in enumerate(watched)}
        self.wanted_at = [at[id(leaves[w] if kind == "argument" else w)] for kind, w in self.wanted]
        twins, leaves_in = self._twins(leaves)
        _, spec = tree_flatten((args, kwargs))
        args_in, kwargs_in = tree_unflatten(leaves_in, spec)
        tracer = Tracer()
        with Watch(tracer), tracer:
            inner = fn(*args_in, **kwargs_in)
        flat, self.spec = tree_flatten(inner)
        del inner
        try:
            if tracer.refusal:
                raise Refused(tracer.refusal)
            self._require_unchanged(watched, before, forms)
            self.grad_forms = [_form(grad) for grad in before]
            self._results(tracer.memory, leaves_in, flat)
            self._trace_backward(tracer, flat, twins)
            self._require_unchanged(watched, before, forms)
            self._divide(tracer, leaves, before, mode)
            inputs = self.inputs(leaves)
            if inputs is None:
                raise Refused("the function changes what its arguments share")
        except (Refused, GpuosError) as refused:
            self.reason = str(refused)
            self.eager = self._bridge(flat, leaves, leaves_in, twins)
            return
        memory = tracer.memory
        # With the recorded history goes what only that holds.
        del flat, twins, leaves_in, args_in, kwargs_in, tracer
        if self._is_kept(memory):
            self.reason = "a tensor made inside is kept somewhere else than in the results"
        _, bases, watched = inputs
        live = list(memory.storages)
        self.eager = self.outputs(leaves, self._apply(live, bases, watched), live)

    def _look(self, fn, leaves):
        for leaf in leaves:
            if isinstance(leaf, torch.Tensor):
                check_kind(leaf)
        others = [leaf for leaf in leaves if not isinstance(leaf, torch.Tensor)]
        self.snapshot = Snapshot([fn, *others])
        given = {id(leaf) for leaf in leaves}
        for tensor in self.snapshot.tensors:
            check_kind(tensor)
            if tensor.requires_grad and id(tensor) not in given:
                if not tensor.is_leaf:
                    raise Refused("a tensor from outside that has a history of its own")
                if tensor._backward_hooks:
                    raise Refused("a tensor from outside with hooks")
        # Where their gradients go: positions of arguments, and tensors.
        self.wanted = []
        seen = set()
        for k, leaf in enumerate(leaves):
            if isinstance(leaf, torch.Tensor) and leaf.requires_grad and id(leaf) not in seen:
                seen.add(id(leaf))
                self.wanted.append(("argument", k))
        self.wanted += [
            ("held", tensor)
            for tensor in self.snapshot.tensors
            if tensor.requires_grad and id(tensor) not in seen
        ]

    def _twins(self, leaves):
        """For each tensor whose gradient is wanted the one the function gets, and its arguments."""
        by_id, twins = {}, []
        for kind, what in self.wanted:
            if kind == "argument":
                twin = by_id[id(leaves[what])] = leaves[what].detach().requires_grad_()
                twins.append(twin)
            else:
                twins.append(what)
        return twins, [by_id.get(id(leaf), leaf) for leaf in leaves]

    def _require_unchanged(self, watched, before, forms):
        if not self.snapshot.holds():
            raise Refused("the function changes Python objects, which a replay would not")
        if any(facts(tensor) != form for tensor, form in zip(watched, forms)):
            raise Refused("the function changes the memory, form or history of a tensor")
        if any(_grad(tensor) is not grad for tensor, grad in zip(watched, before)):
            raise Refused("the function makes gradients, and its results need some")

    # ---- recording

    def _results(self, memory, leaves, flat):
        self.results, self.made, self.effects, self.grads_made = [], [], [], []
        for k, value in enumerate(flat):
            self.results.append(self._result_of(memory, leaves, flat, k, value))
        storages = [place.storage for place, _ in self.made]
        if len(set(storages)) != len(storages):
            raise Refused("results that share memory and need gradients")

    def _result_of(self, memory, leaves, flat, k, value):
        if not isinstance(value, torch.Tensor):
            if type(value) not in _CONSTANTS:
                raise Refused(f"a result of type {type(value).__name__}")
            return "constant", value
        for kind, among in (("argument", leaves), ("same", flat[:k])):
            for index, other in enumerate(among):
                if other is value:
                    return kind, index
        for tensor in self.snapshot.tensors:
            if tensor is value:
                return "held", tensor
        if type(value) is not torch.Tensor:
            raise Refused(f"a result of type {type(value).__name__}")
        check_kind(value)
        number = memory.number(value)
        if number not in memory.made:
            raise Refused("a result is a view of memory from outside")
        self.made.append((Place(number, value), value.requires_grad))
        return "place", len(self.made) - 1

    def _trace_backward(self, tracer, flat, twins):
        """Runs the backward pass on gradients of ones, which is recorded behind the function."""
        memory = tracer.memory
        self.cut = len(tracer.calls)
        outs = [v for (kind, k), v in zip(self.results, flat) if kind == "place" and self.made[k][1]]
        ones = [torch.empty_like(out, requires_grad=False).fill_(1) for out in outs]
        self.cotangents = [
            (Place(memory.number(one), one), one.untyped_storage().nbytes()) for one in ones
        ]
        try:
            with Watch(tracer), tracer:
                grads = torch.autograd.grad(outs, twins, ones, retain_graph=True, allow_unused=True)
        except RuntimeError as failure:
            raise Refused(f"its backward pass fails: {failure}") from failure
        if tracer.refusal:
            raise Refused(tracer.refusal)
        self.grads = []
        for grad in grads:
            if grad is not None:
                check_kind(grad)
            self.grads.append(None if grad is None else Place(memory.number(grad), grad))

    def _divide(self, tracer, leaves, before, mode):
        memory, calls = tracer.memory, tracer.calls
        first, second = calls[: self.cut], calls[self.cut :]
        made_first = set().union(*(call.made for call in first))
        made_first |= memory.made - set().union(*(call.made for call in second))
        given = {place.storage for place, _ in self.cotangents}
        for call in second:
            if call.written - (memory.made - made_first):
                raise Refused("the backward pass writes memory from before")
        self._find_sources(tracer, leaves, before, given)
        used = {p.storage for call in second for p in call.places + call.results if p}
        used |= {place.storage for place in self.grads if place}
        self.saved = sorted(used & made_first)
        self.saved_outside = sorted((used - memory.made) - given)
        plan.judge(calls, memory)
        if all(call.reason for call in calls):
            raise Refused(f"no call is native; the first: {calls[0].reason if calls else 'no calls'}")
        kept = {place.storage for place, _ in self.made} | set(self.saved)
        self.forward, allocated = plan.cut(first, memory, kept, mode)
        later = copy.copy(memory)
        later.made = memory.made - made_first
        kept = {place.storage for place in self.grads if place} & later.made
        self.backward, allocated_later = plan.cut(second, later, kept, mode)
        self.segments = self.forward + self.backward
        size = lambda n: (n, memory.storages[n].nbytes(), memory.devices[n])
        self.allocated = [size(n) for n in allocated]
        self.allocated_later = [size(n) for n in allocated_later]
        self.count = len(memory.storages)
        self.made_later = later.made
        self.results_at = {place.storage: k for k, (place, _) in enumerate(self.made)}

    def _find_sources(self, tracer, leaves, before, given):
        written = {number for call in tracer.calls for number in call.written}
        for kind, what in self.wanted:
            tensor = leaves[what] if kind == "argument" else what
            if tracer.memory.knows(tensor) and tracer.memory.number(tensor) in written:
                raise Refused("a tensor that needs gradients is written in place")
        # Gradients that come in have no place outside: they pass as made inside.
        tracer.memory.made |= given
        try:
            self._sources(tracer, leaves, before)
        finally:
            tracer.memory.made -= given
        if not self._apart([tracer.memory.storages[number] for number, *_ in self.sources]):
            raise Refused("storages from outside share memory, and one is written")

    def _is_kept(self, memory):
        count = torch._C._storage_Use_Count
        kept = lambda: any(count(memory.storages[n]._cdata) > 1 for n in memory.made)
        if kept():
            gc.collect()
        return kept()

    def _bridge(self, flat, leaves, leaves_in, twins):
        """Results of a call that is not recorded, joined to the history of its arguments."""
        given = {id(twin): leaf for twin, leaf in zip(leaves_in, leaves) if isinstance(leaf, torch.Tensor)}
        known = {id(tensor) for tensor in self.snapshot.tensors} | set(given)
        inner = [v for v in flat if isinstance(v, torch.Tensor) and v.requires_grad and id(v) not in known]
        inner = _distinct(inner)
        tensors = [leaves[what] if kind == "argument" else what for kind, what in self.wanted]
        if inner:
            given.update(zip(map(id, inner), _Bridge.apply(inner, twins, *tensors)))
        return tree_unflatten([given.get(id(value), value) for value in flat], self.spec)

    # ---- replaying

    def replay(self, inputs):
        """Runs the first program; the second waits in the history of what is returned."""
        live, bases, watched = inputs
        for number, size, device in self.allocated:
            live[number] = self._memory(number, size, device)
        with torch.no_grad(), torch._C._DisableAutocast():
            for segment in self.forward:
                segment.run(live, plan.current_stream)
            for number in self.touched:
                if not bases[number].is_inference():
                    torch.autograd.graph.increment_version(bases[number])
        return self._apply(live, bases, watched), live

    def _apply(self, live, bases, watched):
        """Results as those of a node in autograd's graph."""
        return _Node.apply(self, live, bases, *[watched[k] for k in self.wanted_at])

    def outputs(self, leaves, made, live):
        """The results, in the form the function gives them."""
        values = []
        for kind, what in self.results:
            if kind == "place":
                values.append(made[what])
            elif kind == "argument":
                values.append(leaves[what])
            elif kind == "same":
                values.append(values[what])
            else:
                values.append(what)
        return tree_unflatten(values, self.spec)

    def run_backward(self, live, grads):
        """Runs the second program on saved storages and the gradients of the results."""
        for (place, size), grad in zip(self.cotangents, grads, strict=True):
            live[place.storage] = _dense(grad, place, size)
        for number, size, device in self.allocated_later:
            live[number] = self._memory(number, size, device)
        with torch._C._DisableAutocast():
            for segment in self.backward:
                segment.run(live, plan.current_stream)
            owned = {number for number, *_ in self.allocated_later} | self.made_later
            values = []
            for place in self.grads:
                value = None if place is None else place.on(live[place.storage])
                # Autograd may keep a gradient and add to it: each has memory of its own.
                if place is not None and place.storage not in owned:
                    value = value.clone()
                owned -= {place.storage} if place is not None else set()
                values.append(value)
        return values


def _dense(grad, place, size):
    """The storage of a gradient laid out as in the recording; a copy if it is not."""
    plain = type(grad) is torch.Tensor and grad.layout == torch.strided and not grad.is_neg()
    if plain and grad.dtype == place.dtype and grad.storage_offset() == 0:
        same = tuple(grad.size()) == place.sizes and tuple(grad.stride()) == place.strides
        if same and grad.untyped_storage().nbytes() == size:
            return grad.untyped_storage()
    copied = torch.empty_strided(place.sizes, place.strides, dtype=place.dtype, device=grad.device)
    return copied.copy_(grad).untyped_storage()


def _once(grads):
    """Gradients that cannot be differentiated again, if somebody might want to."""
    if not torch.is_grad_enabled():
        return tuple(grads)
    marked = [grad if grad is None else grad.detach().requires_grad_() for grad in grads]
    refused = torch._C._functions.DelayedError(_TWICE, len(marked))(*marked)
    return refused if isinstance(refused, tuple) else (refused,)


class _Node(torch.autograd.Function):
    """The place of a replay in autograd's graph. Saved tensors are released, and checked for
    changes, as those of PyTorch's own nodes."""

    @staticmethod
    def forward(ctx, entry, live, bases, *wanted):
        values = [place.on(live[place.storage]) for place, _ in entry.made]
        ctx.mark_non_differentiable(
            *[value for value, (_, differentiable) in zip(values, entry.made) if not differentiable]
        )
        saved = [
            values[entry.results_at[number]] if number in entry.results_at else _bytes(live[number])
            for number in entry.saved
        ]
        saved += [bases[n] if n in bases else _bytes(live[n]) for n in entry.saved_outside]
        ctx.save_for_backward(*saved)
        ctx.entry = entry
        return tuple(values)

    @staticmethod
    def backward(ctx, *grads):
        entry = ctx.entry
        live = [None] * entry.count
        for number, tensor in zip(entry.saved + entry.saved_outside, ctx.saved_tensors, strict=True):
            live[number] = tensor.untyped_storage()
        wanted = [grad for grad, (_, differentiable) in zip(grads, entry.made) if differentiable]
        with torch.no_grad():
            values = entry.run_backward(live, wanted)
        return None, None, None, *_once(values)


class _Bridge(torch.autograd.Function):
    """Joins what was computed on twins to the history of the tensors they stand for."""

    @staticmethod
    def forward(ctx, inner, twins, *tensors):
        ctx.inner, ctx.twins = inner, twins
        return tuple(value.detach() for value in inner)

    @staticmethod
    def backward(ctx, *grads):
        values = torch.autograd.grad(ctx.inner, ctx.twins, grads, retain_graph=True, allow_unused=True)
        return None, None, *_once(values)


def _bytes(storage):
    return torch.empty(0, dtype=torch.uint8, device=storage.device).set_(storage)
