"""`gpuos.dispatch`: micro-operations are gathered while Python goes on, and run as programs.

Below autograd every call is seen: by the extension (`gpuos.intercept`), or without it by a
TorchDispatchMode. Native calls wait in a list; their results are real tensors at once, whose contents
come when the list is run: at the end of the scope, when it is long or old, and before whatever could
see the difference. Ways to a tensor's memory that no dispatch sees are watched for by wrappers, or by
a TorchFunctionMode.
"""

import contextlib
import functools
import os
import threading
import time

import torch
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

from gpuos import _bridge, _native, plan
from gpuos.forms import FORMS, has_tensors, signature_of
from gpuos.intercept import Interception
from gpuos.pending import Pending, Shared
from gpuos.trace import Refused

# Of memory that results of waiting calls may take.
_MOST_BYTES = 256 << 20

_threads = threading.local()

# Calls that hand out a tensor's memory, which is read or written later without a word.
_HANDS_OUT = {
    "__cuda_array_interface__",
    "__dlpack__",
    "_typed_storage",
    "data_ptr",
    "const_data_ptr",
    "mutable_data_ptr",
    "share_memory_",
    "storage",
    "untyped_storage",
}
# Calls that read memory past the dispatcher, themselves or somewhere inside.
_READS = {
    "__array__",
    "__deepcopy__",
    "__format__",
    "__reduce_ex__",
    "__repr__",
    "_pack_padded_sequence",
    "apply_",
    "as_tensor",
    "asarray",
    "ctc_loss",
    "gru",
    "lstm",
    "map2_",
    "map_",
    "new",
    "new_tensor",
    "numpy",
    "pack_padded_sequence",
    "rnn_relu",
    "rnn_tanh",
    "tensor",
    "tensor_split",
    "tolist",
}


class dispatch:
    """A scope in which small operations run together: `with gpuos.dispatch():`.

    Results are those of eager PyTorch, and every other operation of this thread sees them: what is
    not native, `item()`, `print`, NumPy, views, updates in place and autograd. The scope is of the
    thread that entered it. Before another thread, or code that got an address of a tensor before
    the scope began, looks at results, leave the scope or call `flush`. A scope inside another one
    joins it.

    Args:
        size: calls that may wait; more run at once
        age: seconds that a call may wait, looked at when the next one comes
        warmup: how often a batch of the same structure runs in PyTorch before it is compiled
    """

    def __init__(self, *, size=512, age=0.1, warmup=1):
        if not isinstance(size, int) or size < 1:
            raise ValueError(f"gpuos.dispatch: size={size}, expected=a number of calls, at least 1")
        if not age >= 0:
            raise ValueError(f"gpuos.dispatch: age={age}, expected=seconds, at least 0")
        if not isinstance(warmup, int) or warmup < 0:
            raise ValueError(f"gpuos.dispatch: warmup={warmup}, expected=a number of runs, or 0")
        self._settings = (size, age, warmup)
        self._entered = []
        self._collector = None

    def __enter__(self):
        outer = _current()
        if outer is not None:
            outer.flush()
            self._entered.append(None)
            self._collector = outer
            return self
        install_hooks()
        collector = self._collector = _collector(*self._settings)
        collector.enter()
        _threads.collector = collector
        self._entered.append(collector)
        return self

    def __exit__(self, kind, error, trace):
        entered = self._entered.pop()
        try:
            self._collector.flush()
        finally:
            if entered is not None:
                _threads.collector = None
                entered.leave()

    def flush(self):
        """Runs what waits. Callable by the thread of the scope, also where nothing waits."""
        if self._collector is not None:
            self._collector.flush()

    def explain(self):
        """What this scope has done so far, or did: counts, and what ran in PyTorch and why."""
        return "gpuos.dispatch: never entered" if self._collector is None else self._collector.explain()


def _current():
    """The collector of this thread's scope, or None."""
    return getattr(_threads, "collector", None)


def flush_current():
    """Runs what waits in this thread's scope, if there is one."""
    collector = _current()
    if collector is not None:
        collector.flush()


def _collector(size, age, warmup):
    native = _native.interception()
    if native is None:
        return Collector(size, age, warmup)
    hook_tensors()
    return Interception(native, size, age, warmup, _MOST_BYTES)


class Collector:
    """What the modes of one scope share. The lock is for autograd's threads, which work for ours."""

    def __init__(self, size, age, warmup):
        self._size, self._age, self._warmup = size, age, warmup
        self._lock = threading.RLock()
        self._pending = Pending()
        self._begun = 0.0
        # Storages whose memory was handed out. Held, so that a number stays theirs.
        self._handed_out = {}
        # Threads whose calls pass: they run the list, or are inside of what reads memory.
        self._passing = set()
        self._counts = {"calls": 0, "batched": 0, "programs": 0, "batches in PyTorch": 0}
        self._reasons = {}

    def enter(self):
        """Sees the calls of this thread from now on."""
        self._modes = Gather(self), Watch(self)
        for mode in self._modes:
            mode.__enter__()

    def leave(self):
        """Undoes `enter`; nothing waits any more."""
        for mode in reversed(self._modes):
            mode.__exit__(None, None, None)
        self._handed_out.clear()

    def call(self, function, args, kwargs, again):
        """Takes one call; `again` is the mode, for calls that consist of others."""
        kind = FORMS.kind(function)
        if kind.quiet or self.passes():
            return function(*args, **kwargs)
        if kind.decomposes:
            with again:
                result = function.decompose(*args, **kwargs)
            if result is not NotImplemented:
                return result
        if kind.view:
            return function(*args, **kwargs)
        with self._lock:
            self._counts["calls"] += 1
            return self._call(kind, function, args, kwargs)

    def _call(self, kind, function, args, kwargs):
        reason = kind.reason
        if reason is None and _bridge._forked:
            reason = "a forked process"
        if reason is None:
            try:
                signature = signature_of(kind, function, args, kwargs)
            except Refused as refused:
                reason = str(refused)
        if reason is None:
            form = FORMS.get(signature.key)
            if form is None:
                return self._learn(signature, function, args, kwargs)
            reason = form.reason
        if reason is None:
            try:
                return self._wait(form, signature.tensors)
            except Shared:
                reason = "storages share memory"
        if not kind.aten or has_tensors(args, kwargs):
            self.flush()
        self._note(function, reason)
        return function(*args, **kwargs)

    def _learn(self, signature, function, args, kwargs):
        if signature.tensors:
            self.flush()
        form, result = FORMS.learn(signature, function, args, kwargs)
        if form.reason is not None:
            self._note(function, form.reason)
        return result

    def _wait(self, form, tensors):
        pending = self._pending
        stream = 0 if form.device.type == "cpu" else plan.current_stream(form.device)
        if pending.calls and (
            pending.device != form.device
            or pending.stream != stream
            or time.monotonic() - self._begun > self._age
        ):
            self.flush()
        results, seen = pending.add(form, tensors)
        if len(pending.calls) == 1:
            pending.device, pending.stream = form.device, stream
            self._begun = time.monotonic()
        self._counts["batched"] += 1
        result = form.results(results, tensors)
        if (
            seen
            or len(pending.calls) >= self._size
            or pending.bytes > _MOST_BYTES
            or self._handed_out
            and any(tensor.untyped_storage()._cdata in self._handed_out for tensor in tensors)
        ):
            self.flush()
        return result

    def flush(self):
        """Runs what waits."""
        if self._pending.is_empty():
            return
        with self._lock:
            taken = self._pending.take()
            if not taken.calls:
                return
            with self.passing():
                reason = taken.run(self._warmup)
            self._counts["programs" if reason is None else "batches in PyTorch"] += 1

    @contextlib.contextmanager
    def passing(self):
        """Calls of this thread go to PyTorch meanwhile; what waits was run before."""
        me = threading.get_ident()
        if me in self._passing:
            yield
            return
        self._passing.add(me)
        try:
            yield
        finally:
            self._passing.discard(me)

    def passes(self):
        """Whether calls of this thread are not taken just now."""
        return bool(self._passing) and threading.get_ident() in self._passing

    def hand_out(self, tensors):
        """Memory of these tensors is seen from outside from now on."""
        self.flush()
        for tensor in tensors:
            try:
                storage = tensor.untyped_storage()
            except (RuntimeError, NotImplementedError):
                continue  # it has none
            self._handed_out[storage._cdata] = storage

    def _note(self, function, reason):
        key = str(function)
        if key not in self._reasons and len(self._reasons) < 1000:
            self._reasons[key] = reason

    def explain(self):
        counts = ", ".join(f"{name}={count}" for name, count in self._counts.items())
        return "\n".join(
            [f"gpuos.dispatch: {counts}"]
            + [f"  PyTorch: {name}: {reason}" for name, reason in sorted(self._reasons.items())]
        )


class Gather(TorchDispatchMode):
    """Gives every call to the collector."""

    supports_higher_order_operators = True

    def __init__(self, collector):
        super().__init__()
        self._collector = collector

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        return self._collector.call(func, args, kwargs or {}, self)


class Watch(TorchFunctionMode):
    """Runs what waits before a call reaches for memory past the dispatcher."""

    def __init__(self, collector):
        super().__init__()
        self._collector = collector

    def __torch_function__(self, func, types, args=(), kwargs=None):
        if self._collector.passes():
            return func(*args, **(kwargs or {}))
        name = getattr(func, "__name__", "")
        if name == "__get__":
            name = getattr(getattr(func, "__self__", None), "__name__", "")
        if name in _HANDS_OUT:
            self._collector.hand_out([value for value in args if isinstance(value, torch.Tensor)])
        elif name in _READS:
            self._collector.flush()
            with self._collector.passing():
                return func(*args, **(kwargs or {}))
        return func(*args, **(kwargs or {}))


# ---- ways past both modes

_hooks_lock = threading.Lock()
_hooked = False
_tensors_hooked = False


def install_hooks():
    """Wraps functions that no mode sees, once: outside of scopes they do what they did."""
    global _hooked
    with _hooks_lock:
        if _hooked:
            return
        _hooked = True
        for module in (torch._C, torch, torch.utils.dlpack):
            for name in ("_to_dlpack", "_to_dlpack_versioned", "to_dlpack"):
                if hasattr(module, name):
                    setattr(module, name, _handing_out(getattr(module, name)))
        # Compiled by TorchScript, a function may read memory wherever it likes.
        for owner in (torch._C.ScriptFunction, torch._C.ScriptMethod):
            owner.__call__ = _passing(owner.__call__)
        os.register_at_fork(before=flush_current)
        if torch.cuda.is_available():
            _hook_streams()


def hook_tensors():
    """Wraps what a mode would watch for, where there is none, once."""
    global _tensors_hooked
    with _hooks_lock:
        if _tensors_hooked:
            return
        _tensors_hooked = True
        for names, wrap in ((_HANDS_OUT, _handing_out), (_READS, _passing)):
            for name in names:
                _replace(torch.Tensor, name, wrap)
                if not name.startswith("__"):
                    _replace(torch, name, wrap)
                    _replace(torch._VF, name, wrap)


def _replace(owner, name, wrap):
    function = getattr(owner, name, None)
    if isinstance(function, property):
        setattr(owner, name, property(wrap(function.fget)))
    elif callable(function):
        setattr(owner, name, wrap(function))


def _handing_out(function):
    @functools.wraps(function)
    def before(*args, **kwargs):
        collector = _current()
        if collector is not None:
            collector.hand_out([value for value in args if isinstance(value, torch.Tensor)])
        return function(*args, **kwargs)

    return before


def _passing(function):
    @functools.wraps(function)
    def inside(*args, **kwargs):
        collector = _current()
        if collector is None:
            return function(*args, **kwargs)
        collector.flush()
        with collector.passing():
            return function(*args, **kwargs)

    return inside


def _hook_streams():
    """What others order by a stream comes after what waits for it."""
    for owner, names in (
        (torch.cuda.Stream, ("synchronize", "record_event", "wait_event", "wait_stream", "query")),
        (torch.cuda.Event, ("record", "wait", "synchronize", "query")),
        (torch.cuda.CUDAGraph, ("capture_begin", "replay")),
        (torch.cuda, ("synchronize",)),
    ):
        for name in names:
            setattr(owner, name, _flushing(getattr(owner, name)))


def _flushing(function):
    @functools.wraps(function)
    def before(*args, **kwargs):
        flush_current()
        return function(*args, **kwargs)

    return before
