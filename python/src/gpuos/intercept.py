"""Scopes of `gpuos.dispatch` in the extension: calls are seen at the dispatcher, without Python.

The extension knows forms of calls by signature, and programs of batches. Python is asked about new
ones: `_Learning` runs a call in PyTorch and says what it is, `_run` compiles a batch. What reaches
for memory past the dispatcher is wrapped, once: a mode that watches would cost more than the calls.
"""

import contextlib
import threading

import torch
from torch.utils._python_dispatch import TorchDispatchMode

from gpuos import _bridge, plan
from gpuos.forms import FORMS, has_tensors, signature_of
from gpuos.pending import Pending
from gpuos.trace import Refused


# Whether memory of results that wait is filled with nonsense, for tests.
POISON = False

# In the order of the extension.
_ROLES = ("input", "output", "temporary")


class _Core:
    """What a thread needs for its scopes of one kind, made once."""

    def __init__(self, native, size, age, warmup, most_bytes):
        self.reasons = {}
        self._warmup = warmup
        learning = _Learning(self.reasons)
        self.scope = native.Scope(
            learning.take,
            self._run,
            _stream,
            _bridge.address("replay"),
            _bridge.fail,
            size,
            most_bytes,
            age,
        )
        # The extension keeps it, and puts it on the stack of modes for each call to learn.
        with learning:
            self.scope.grab()
        if POISON:
            self.scope.poison()

    def _run(self, calls, storages, roles, stream):
        """Runs a batch; the number of its program, what that addresses and what holds it, or None."""
        pending = Pending.of(calls, [tensor.untyped_storage() for tensor in storages], stream)
        batch = pending.run_as([_ROLES[role] for role in roles], self._warmup)
        if batch is None or batch.program is None:
            return None
        return batch.program.handle, batch.addressed, batch


class Interception:
    """The collector of one scope, in the extension."""

    def __init__(self, native, *settings):
        cores = _cores()
        key = (settings, POISON)
        core = cores.pop(key, None) or _Core(native, *settings)
        self._key, self._core, self._native = key, core, native
        self._scope = core.scope
        self._before = self._scope.counts
        self._after = None

    def enter(self):
        """Sees the calls of this thread from now on."""
        self._scope.enter()

    def leave(self):
        """Undoes `enter`; nothing waits any more. The thread's next scope has the same core."""
        self._scope.leave()
        self._after = self._scope.counts
        _cores()[self._key] = self._core

    def flush(self):
        """Runs what waits."""
        if self._after is None:
            self._scope.flush()

    def hand_out(self, tensors):
        """Memory of these tensors is seen from outside from now on."""
        if self._native.passes():
            return  # the one who looks is this package
        self.flush()
        for tensor in tensors:
            self._scope.hand_out(tensor)

    @contextlib.contextmanager
    def passing(self):
        """Calls of this thread go to PyTorch meanwhile; what waits was run before."""
        before = self._native.pass_unseen(True)
        try:
            yield
        finally:
            self._native.pass_unseen(before)

    def explain(self):
        """Counts of this scope, and what this thread's scopes ran in PyTorch, and why."""
        now = self._after or self._scope.counts
        names = ("calls", "batched", "programs", "batches in PyTorch")
        counts = [f"{name}={n - m}" for name, n, m in zip(names, now, self._before)]
        reasons = sorted(self._core.reasons.items())
        lines = [f"  PyTorch: {name}: {why}" for name, why in reasons]
        return "\n".join([f"gpuos.dispatch: {', '.join(counts)}", *lines])


_threads = threading.local()


def _cores():
    """Cores of this thread that no scope uses just now."""
    try:
        return _threads.cores
    except AttributeError:
        _threads.cores = {}
        return _threads.cores


def _stream(index):
    return plan.current_stream(torch.device("cuda", index))


class _Learning(TorchDispatchMode):
    """Runs a call in PyTorch, and keeps what the extension should know of its signature."""

    supports_higher_order_operators = True

    def __init__(self, reasons):
        super().__init__()
        self._reasons = reasons
        self._threads = threading.local()

    def take(self):
        """What the last call of this thread was, in the words of the extension."""
        met, self._threads.met = getattr(self._threads, "met", None), None
        return met

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result, met = self._call(func, args, kwargs or {})
        self._threads.met = met
        return result

    def _call(self, func, args, kwargs):
        kind = FORMS.kind(func)
        if kind.decomposes and not kind.quiet:
            with self:
                result = func.decompose(*args, **kwargs)
            if result is not NotImplemented:
                return result, "through"
        if kind.quiet or kind.view:
            return func(*args, **kwargs), "pass"
        reason = kind.reason
        if reason is None:
            try:
                signature = signature_of(kind, func, args, kwargs)
            except Refused as refused:
                reason = str(refused)
        if reason is None:
            form = FORMS.get(signature.key)
            if form is None:
                form, result = FORMS.learn(signature, func, args, kwargs)
            else:
                result = func(*args, **kwargs)
            reason = form.reason or _unsuitable(form)
            if reason is None:
                return result, _told(form)
        else:
            result = func(*args, **kwargs)
        if len(self._reasons) < 1000:
            self._reasons.setdefault(str(func), reason)
        return result, "run" if not kind.aten or has_tensors(args, kwargs) else "pass"


def _unsuitable(form):
    """Why the extension cannot make the results of a form, or None."""
    returns = form.function._schema.returns
    if returns and len(returns) != len(form.parts):
        return "results in a list"
    if any(k is None for _, k in form.parts) or any(fresh[3] != form.device for fresh in form.fresh):
        return "results that are not there, or elsewhere"
    return None


def _told(form):
    """A form in the words of the extension."""
    example = torch.empty(1, dtype=torch.uint8, device=form.device)
    fresh = [
        (torch.empty(0, dtype=dtype), size, tuple(sizes), tuple(strides))
        for sizes, strides, dtype, _, size in form.fresh
    ]
    results = list(form.parts) if form.function._schema.returns else []
    return form.number, form, example, fresh, results
