"""Calls that wait, and the programs that run them together.

The memory of results is there from the beginning, so tensors over it are real; only its contents
come later. Storages are held while a call that uses them waits. Used under the lock of its scope.
"""

import bisect
import collections
import threading

import torch

from gpuos import _bridge, plan
from gpuos.errors import GpuosError
from gpuos.plan import Eager
from gpuos.text import graph_text

# Programs of batches in this process, those used last; each holds memory of its own.
_MOST_PROGRAMS = 256
# Structures that were seen, but are not compiled.
_MOST_SEEN = 4096


class _Programs:
    """Compiled batches by structure. Thread-safe."""

    def __init__(self):
        self._lock = threading.Lock()
        self._programs = collections.OrderedDict()
        self._seen = collections.OrderedDict()

    def get(self, key):
        with self._lock:
            if key in self._programs:
                self._programs.move_to_end(key)
            return self._programs.get(key)

    def put(self, key, program):
        with self._lock:
            self._programs[key] = program
            if len(self._programs) > _MOST_PROGRAMS:
                self._programs.popitem(last=False)

    def count(self, key):
        """How often a structure was asked for before."""
        with self._lock:
            seen = self._seen.pop(key, 0)
            self._seen[key] = seen + 1
            if len(self._seen) > _MOST_SEEN:
                self._seen.popitem(last=False)
            return seen


PROGRAMS = _Programs()


def _allocate(sizes, strides, dtype, device):
    return torch.empty_strided(sizes, strides, dtype=dtype, device=device)


class _Batch:
    """A program and the order in which it takes addresses; no program where it cannot be compiled."""

    def __init__(self, program, addressed, reason):
        self.program = program
        self.addressed = addressed
        self.reason = reason


class Shared(Exception):
    """Two storages lie in the same memory."""


class Pending:
    """The list of one scope, on one device and one stream."""

    def __init__(self):
        self._clear()

    def _clear(self):
        self.calls = []
        self.device = None
        self.stream = 0
        self.bytes = 0
        self._structure = []
        self._storages = []
        self._numbers = {}
        self._made = set()
        # Memory from outside, in order: begins, and ends beside them.
        self._begins, self._ends = [], []

    @classmethod
    def of(cls, calls, storages, stream):
        """A list that was gathered elsewhere: calls with numbers, offsets and those made."""
        pending = cls()
        pending.calls, pending.stream = calls, stream
        pending.device = calls[0][0].device
        pending._storages = storages
        for form, numbers, offsets, made in calls:
            pending._made.update(made)
            pending._structure += [form.number, *numbers, *offsets]
        return pending

    def add(self, form, tensors):
        """Appends a call; returns the tensors made for it, and whether others can see its memory.

        Raises Shared, with nothing appended, where memory from outside overlaps.
        """
        numbers, offsets, seen = [], [], False
        for tensor in tensors:
            storage = tensor.untyped_storage()
            number = self._numbers.get(storage._cdata)
            if number is None:
                number = self._admit(storage)
            # Memory of NumPy and the like, and of other processes.
            seen = seen or (number not in self._made and not storage.resizable())
            numbers.append(number)
            offsets.append(tensor.storage_offset())
        made, results = [], []
        for sizes, strides, dtype, device, size in form.fresh:
            result = _allocate(sizes, strides, dtype, device)
            storage = result.untyped_storage()
            number = self._number(storage)
            self._made.add(number)
            self.bytes += size
            made.append(number)
            results.append(result)
        self.calls.append((form, numbers, offsets, made))
        self._structure.append(form.number)
        self._structure += numbers
        self._structure += offsets
        return results, seen

    def _number(self, storage):
        number = self._numbers[storage._cdata] = len(self._storages)
        self._storages.append(storage)
        return number

    def _admit(self, storage):
        begin, size = storage.data_ptr(), storage.nbytes()
        if size:
            at = bisect.bisect(self._begins, begin)
            before = at > 0 and self._ends[at - 1] > begin
            after = at < len(self._begins) and self._begins[at] < begin + size
            if before or after:
                raise Shared
            self._begins.insert(at, begin)
            self._ends.insert(at, begin + size)
        return self._number(storage)

    def is_empty(self):
        return not self._storages and not self.calls

    def take(self):
        """The list so far as one of its own; this one is empty afterwards."""
        taken = Pending.__new__(Pending)
        taken.__dict__.update(self.__dict__)
        self._clear()
        return taken

    # ---- running

    def run(self, warmup):
        """Runs the calls; returns the reason why that was not as a program, or None."""
        count = torch._C._storage_Use_Count
        roles = [
            "input" if k not in self._made else "output" if count(storage._cdata) > 1 else "temporary"
            for k, storage in enumerate(self._storages)
        ]
        batch = self.run_as(roles, warmup)
        return "a batch of this structure is new" if batch is None else batch.reason

    def run_as(self, roles, warmup):
        """Runs the calls with storages in these roles; returns the batch, None for a new one."""
        sizes = [storage.nbytes() for storage in self._storages]
        key = (self.device, tuple(self._structure), tuple(roles), tuple(sizes))
        batch = PROGRAMS.get(key)
        if batch is None:
            # What compiling allocates and loads does not belong into a CUDA graph.
            if PROGRAMS.count(key) < warmup or plan.is_capturing():
                self._run_in_pytorch()
                return None
            batch = self._compile(roles, sizes)
            PROGRAMS.put(key, batch)
        if batch.program is None:
            self._run_in_pytorch()
            return batch
        try:
            addresses = [self._storages[number].data_ptr() for number in batch.addressed]
            batch.program.replay(addresses, self.stream)
        except GpuosError as failure:
            raise type(failure)(f"{failure}; while running a batch of {self}") from failure
        return batch

    def _compile(self, roles, sizes):
        calls = [form.call(numbers, offsets, made) for form, numbers, offsets, made in self.calls]
        text, addressed = graph_text(list(enumerate(calls)), roles, sizes, self.device)
        try:
            return _Batch(_bridge.Program(str(self.device), text, "auto"), addressed, None)
        except GpuosError as refused:
            return _Batch(None, addressed, str(refused))

    def _run_in_pytorch(self):
        """One call after the other, into the memory that was promised."""
        live = list(self._storages)
        with torch.no_grad(), torch._C._DisableAutocast():
            for form, numbers, offsets, made in self.calls:
                call = form.call(numbers, offsets, made)
                for number in made:
                    live[number] = None
                try:
                    Eager([call]).run(live, plan.current_stream)
                except Exception as failure:
                    raise type(failure)(f"{failure}; of {form.function} in a batch of {self}") from failure
                for number, place in zip(made, [p for p in call.results if p and p.storage in call.made]):
                    place.on(self._storages[number]).copy_(place.on(live[number]))
                    live[number] = self._storages[number]

    def __str__(self):
        names = list(collections.Counter(str(form.function) for form, *_ in self.calls).items())
        listed = ", ".join(name if n == 1 else f"{n} x {name}" for name, n in names[:8])
        return f"{len(self.calls)} operations: {listed}" + (", .." if len(names) > 8 else "")
