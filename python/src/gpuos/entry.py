"""One recorded signature: guards, memory and segments; records and replays.

The rule that makes replays safe: a trace counts only if the function left everything it can reach as
it was (`gpuos.state`), apart from contents of memory, and gradients that were made inside. What it
returns is known, and no other tensor made inside is alive afterwards. So a replay that writes the
same memory, gives such gradients anew and returns such results does all that the function did.
"""

import gc

import torch
from torch.utils._pytree import tree_flatten, tree_unflatten

from gpuos import plan
from gpuos.rewrites import recordable
from gpuos.state import Snapshot, facts
from gpuos.trace import Place, Refused, Tracer, Watch, check_kind

_CONSTANTS = (int, float, bool, str, type(None), torch.dtype, torch.device, torch.Size)


def _form(grad):
    """What Python can see of a gradient without its values."""
    if grad is None:
        return None
    return (type(grad), *facts(grad)[1:])


def _grad(tensor):
    return tensor.grad if tensor.is_leaf else None


class Entry:
    """A trace that was found safe, compiled. Made by `record`."""

    def __init__(self, fn, args, kwargs, leaves, mode, static_outputs):
        """Runs the function eagerly as `self.eager`; `self.reason` says why there is no replay.

        An error of the function itself passes through.
        """
        self.reason = None
        # Whether it is all that is wrong that results need gradients: see gpuos.autograd.
        self.needs_gradients = False
        self.segments = []
        self.static = {} if static_outputs else None
        tensors = [leaf for leaf in leaves if isinstance(leaf, torch.Tensor)]
        try:
            for tensor in tensors:
                check_kind(tensor)
            others = [leaf for leaf in leaves if not isinstance(leaf, torch.Tensor)]
            self.snapshot = Snapshot([fn, *others])
            for tensor in self.snapshot.tensors:
                check_kind(tensor)
        except Refused as refused:
            self.reason = str(refused)
            self.eager = fn(*args, **kwargs)
            return
        watched = self._watched(leaves)
        before = [_grad(tensor) for tensor in watched]
        forms = [facts(tensor) for tensor in watched]
        self.aliases = _aliases(watched)
        tracer = Tracer()
        with recordable(), Watch(tracer), tracer:
            self.eager = fn(*args, **kwargs)
        tracer.check_random()
        try:
            if tracer.refusal:
                raise Refused(tracer.refusal)
            self._settle(tracer, leaves, watched, before, forms, mode)
        except Refused as refused:
            self.reason = str(refused)

    # ---- recording

    def _settle(self, tracer, leaves, watched, before, forms, mode):
        memory = tracer.memory
        if not self.snapshot.holds():
            raise Refused("the function changes Python objects, which a replay would not")
        if any(facts(tensor) != form for tensor, form in zip(watched, forms)):
            raise Refused("the function changes the memory, form or history of a tensor")
        self.grad_forms = [_form(grad) for grad in before]
        self._effects(memory, watched, before)
        written = {number for call in tracer.calls for number in call.written}
        needing = [tensor for tensor in watched if tensor.requires_grad]
        needing += [grad for grad in before if grad is not None]
        self._differentiable = not self.effects and not any(
            memory.knows(tensor) and memory.number(tensor) in written for tensor in needing
        )
        self._results(memory, leaves)
        self._check_alive(memory)
        self._sources(tracer, leaves, before)
        if not self._apart([memory.storages[number] for number, *_ in self.sources]):
            raise Refused("storages from outside share memory, and one is written")
        kept = {place.storage for _, place in self.effects}
        kept |= {value.storage for kind, value in self.results if kind == "place"}
        plan.judge(tracer.calls, memory, kept)
        if all(call.reason for call in tracer.calls):
            first = tracer.calls[0] if tracer.calls else None
            why = f"{first.function}: {first.reason}" if first else "no calls"
            raise Refused(f"no call is native; the first: {why}")
        self.segments, allocated = plan.cut(tracer.calls, memory, kept, mode)
        self.allocated = [
            (number, memory.storages[number].nbytes(), memory.devices[number]) for number in allocated
        ]
        self.count = len(memory.storages)

    def _effects(self, memory, watched, before):
        self.effects, self.grads_made = [], []
        for k, (tensor, old) in enumerate(zip(watched, before)):
            new = _grad(tensor)
            if new is old:
                continue
            if new is not None:
                check_kind(new)
            if new is None or not memory.knows(new) or memory.number(new) not in memory.made:
                raise Refused("the function gives a tensor a gradient that is not made inside")
            if new.requires_grad:
                raise Refused("the function makes a gradient that itself needs gradients")
            self.effects.append((k, Place(memory.number(new), new)))
            self.grads_made.append(new)

    def _results(self, memory, leaves):
        flat, self.spec = tree_flatten(self.eager)
        self.results, self.made_tensors = [], list(self.grads_made)
        for k, value in enumerate(flat):
            self.results.append(self._result(memory, leaves, flat, k, value))

    def _result(self, memory, leaves, flat, k, value):
        if not isinstance(value, torch.Tensor):
            if type(value) not in _CONSTANTS:
                raise Refused(f"a result of type {type(value).__name__}")
            return "constant", value
        for kind, among in (("argument", leaves), ("same", flat[:k]), ("effect", self.grads_made)):
            for index, other in enumerate(among):
                if other is value:
                    return kind, index
        for tensor in self.snapshot.tensors:
            if tensor is value:
                return "held", tensor
        if type(value) is not torch.Tensor:
            raise Refused(f"a result of type {type(value).__name__}")
        if value.requires_grad:
            self.needs_gradients = self._differentiable
            raise Refused("a result needs gradients; put the backward pass into the function")
        check_kind(value)
        number = memory.number(value)
        if number not in memory.made:
            return "view", (*self._base(memory, leaves, number, value), Place(number, value))
        self.made_tensors.append(value)
        return "place", Place(number, value)

    def _base(self, memory, leaves, number, value):
        """The argument or held tensor that a result is a view of."""
        storage = memory.storages[number]._cdata
        for index, leaf in enumerate(leaves):
            if isinstance(leaf, torch.Tensor) and leaf.untyped_storage()._cdata == storage:
                if leaf.dtype == value.dtype:
                    return index, None
        for tensor in self.snapshot.tensors:
            if tensor.untyped_storage()._cdata == storage and tensor.dtype == value.dtype:
                return None, tensor
        raise Refused("a result is a view of memory from outside that cannot be guarded")

    def _check_alive(self, memory):
        """Whoever else holds memory made inside would not see what a replay makes."""
        uses = {}
        # A view keeps the tensor it is a view of.
        bases = [tensor._base for tensor in self.made_tensors if tensor._base is not None]
        for tensor in _distinct(self.made_tensors + bases):
            number = memory.number(tensor)
            uses[number] = uses.get(number, 0) + 1

        def leaks():
            count = torch._C._storage_Use_Count
            return any(count(memory.storages[n]._cdata) > 1 + uses.get(n, 0) for n in memory.made)

        if leaks():
            gc.collect()
            if leaks():
                raise Refused("a tensor made inside is kept somewhere else than in the results")

    def _sources(self, tracer, leaves, before):
        memory = tracer.memory
        written = {number for call in tracer.calls for number in call.written}
        used = {place.storage for call in tracer.calls for place in call.places + call.results if place}
        self.sources, self.touched = [], []
        self.places_written = {}
        for call in tracer.calls:
            for place in call.places + [place for place in call.results if place]:
                if place.storage in call.written:
                    self.places_written.setdefault(place.storage, set()).add(place)
        for number in sorted(used - memory.made):
            source = self._source(memory, number, leaves, before)
            if source is None:
                raise Refused("a tensor from outside that cannot be guarded")
            if source[0] == "constant" and number in written:
                raise Refused("data of Python is written in place")
            self.sources.append((number, *source))
            if number in written:
                self.touched.append(number)

    def written_places(self, number):
        """The places at which calls write a storage."""
        return self.places_written.get(number, ())

    def _source(self, memory, number, leaves, before):
        storage = memory.storages[number]._cdata
        for index, leaf in enumerate(leaves):
            if isinstance(leaf, torch.Tensor) and leaf.untyped_storage()._cdata == storage:
                return "argument", index
        for tensor in self.snapshot.tensors:
            if tensor.untyped_storage()._cdata == storage:
                return "held", tensor
        for k, grad in enumerate(before):
            if grad is not None and grad.untyped_storage()._cdata == storage:
                return "grad", k
        if number in memory.constants:
            return "constant", memory.storages[number]
        return None

    # ---- replaying

    def inputs(self, leaves):
        """The live storages by number, or None where this entry does not fit the call."""
        if not self.snapshot.holds():
            return None
        # Tensors of arguments are those of this call, the others the recorded ones.
        watched = self._watched(leaves)
        if _aliases(watched) != self.aliases:
            return None
        if [_form(_grad(tensor)) for tensor in watched] != self.grad_forms:
            return None
        live = [None] * self.count
        bases = {}
        for number, kind, what in self.sources:
            if kind == "constant":
                live[number] = what
                continue
            tensor = leaves[what] if kind == "argument" else what
            if kind == "grad":
                tensor = watched[what].grad
            bases[number] = tensor
            live[number] = tensor.untyped_storage()
        return (live, bases, watched) if self._apart(live) else None

    def _watched(self, leaves):
        tensors = [leaf for leaf in leaves if isinstance(leaf, torch.Tensor)]
        return _distinct(tensors + self.snapshot.tensors)

    def _apart(self, live):
        """Storages were of their own when recorded: where one is written, they still must be."""
        if not self.touched:
            return True
        ranges = sorted(
            _range(storage) for storage in live if storage is not None and storage.nbytes()
        )
        return all(one[1] <= other[0] for one, other in zip(ranges, ranges[1:]))

    def replay(self, inputs):
        """Runs the segments and returns what the function would."""
        live, bases, watched = inputs
        used = [_range(storage) for storage in live if storage is not None]
        for number, size, device in self.allocated:
            live[number] = self._memory(number, size, device, used)
        with torch.no_grad(), torch._C._DisableAutocast():
            for segment in self.segments:
                segment.run(live, plan.current_stream)
            for number in self.touched:
                if not bases[number].is_inference():
                    torch.autograd.graph.increment_version(bases[number])
            made = [place.on(live[place.storage]) for _, place in self.effects]
        for (k, _), grad in zip(self.effects, made):
            watched[k].grad = grad
        return made, live

    def _memory(self, number, size, device, used=()):
        memory = self.fixed(number, size, device)
        # A result may come back as an argument: it is read while results are written.
        if memory is None or any(_overlap(_range(memory), one) for one in used):
            return _storage(size, device)
        return memory

    def fixed(self, number, size, device):
        """The memory that a storage has in every replay, or None for another one each time."""
        if self.static is None or any(number == place.storage for _, place in self.effects):
            return None
        if number not in self.static:
            self.static[number] = _storage(size, device)
        return self.static[number]

    def outputs(self, leaves, made, live):
        """The results of a replay, in the form the function gives them."""
        values = []
        for kind, what in self.results:
            if kind == "constant":
                values.append(what)
            elif kind == "argument":
                values.append(leaves[what])
            elif kind == "same":
                values.append(values[what])
            elif kind == "effect":
                values.append(made[what])
            elif kind == "held":
                values.append(what)
            elif kind == "view":
                index, held, place = what
                base = held if index is None else leaves[index]
                with torch.no_grad():
                    values.append(base.as_strided(place.sizes, place.strides, place.offset))
            else:
                with torch.no_grad():
                    values.append(what.on(live[what.storage]))
        return tree_unflatten(values, self.spec)

    def forget(self):
        """Drops what only recording needs; returns what the function returned."""
        result = self.eager
        self.eager = self.grads_made = self.made_tensors = None
        return result

    def explain(self):
        lines = []
        for segment in self.segments:
            kind = "native" if isinstance(segment, plan.Native) else "PyTorch"
            lines.append(f"{kind}, {len(segment.calls)} calls")
            lines += segment.explain()
        return lines


def _storage(size, device):
    return torch.empty(size, dtype=torch.uint8, device=device).untyped_storage()


def _range(storage):
    begin = storage.data_ptr()
    return begin, begin + storage.nbytes()


def _overlap(one, other):
    return one[0] < other[1] and other[0] < one[1]


def _aliases(tensors):
    """For each tensor the first one that lies in the same storage."""
    first = {}
    return [first.setdefault(tensor.untyped_storage()._cdata, k) for k, tensor in enumerate(tensors)]


def _distinct(tensors):
    seen, distinct = set(), []
    for tensor in tensors:
        if id(tensor) not in seen:
            seen.add(id(tensor))
            distinct.append(tensor)
    return distinct
