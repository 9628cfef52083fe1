"""`gpuos.compile`: a function that is recorded when it meets a signature and replayed after."""

import collections
import contextlib
import functools
import threading
import warnings

import torch
from torch.utils._device import DeviceContext
from torch.utils._pytree import tree_flatten, tree_leaves

from gpuos import fast, plan
from gpuos.autograd import GradEntry
from gpuos.entry import Entry
from gpuos.errors import GpuosError

MODES = ("auto", "resident", "stream")
# Attempts to record a signature: the first calls of a training step still make state.
_ATTEMPTS = 4
# Recordings of one signature, for different states of Python.
_MOST = 8
# Signatures of one function that are remembered.
_SIGNATURES = 256


def compile(fn, *, mode="auto", verify=0, static_outputs=False):
    """Records `fn`, a function or module, and replays it when it is called with the same signature.

    Python runs only while recording: what `fn` prints, or reads from clocks and random generators of
    Python, is not done again. What cannot be replayed safely runs eagerly; `explain` says why.

    Where results need gradients there is a second program for the backward pass; it can be
    differentiated once, and results of such replays are always fresh.

    Args:
        mode: `resident`, `stream`, or `auto` for the better of the two
        verify: runs eagerly too, every so many replays, and compares; 0 for never
        static_outputs: results of a replay lie in the same memory every time
    """
    return fast.kind(Compiled)(fn, mode, verify, static_outputs)


def explain(fn, *args, **kwargs):
    """What of a call runs natively, what in PyTorch and why. Calls `fn` if it is not recorded yet."""
    compiled = fn if isinstance(fn, Compiled) else compile(fn)
    return compiled.explain(*args, **kwargs)


class Compiled:
    """A compiled function, made by `compile`. Thread-safe as far as the function is."""

    def __init__(self, fn, mode, verify, static_outputs):
        if not callable(fn):
            raise TypeError(f"gpuos.compile: found={type(fn).__name__}, expected=a function or module")
        if mode not in MODES:
            raise ValueError(f"gpuos.compile: mode={mode}, expected=one of {', '.join(MODES)}")
        if not isinstance(verify, int) or verify < 0:
            raise ValueError(f"gpuos.compile: verify={verify}, expected=a number of calls, or 0")
        functools.update_wrapper(self, fn if hasattr(fn, "__name__") else type(fn))
        self._fn = fn
        self._mode = mode
        self._verify = verify
        self._static = static_outputs
        self._lock = threading.RLock()
        self._records = collections.OrderedDict()
        self._warned = False
        self._counted = 0

    def __get__(self, instance, owner=None):
        return self if instance is None else functools.partial(self, instance)

    def __getattr__(self, name):
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self._fn, name)

    def __reduce__(self):
        return _again, (self._fn, self._mode, self._verify, self._static)

    @property
    def _replays(self):
        return self._counted + self._replayed

    def _call(self, *args, **kwargs):
        if _is_watched():
            return self._fn(*args, **kwargs)
        leaves, spec = tree_flatten((args, kwargs))
        record = self._record(leaves, spec)
        for entry in record.entries:
            inputs = entry.inputs(leaves)
            if inputs is not None:
                return self._replay(entry, inputs, leaves, args, kwargs)
        # What recording allocates and compiles does not belong into a CUDA graph.
        if record.attempts == 0 or plan.is_capturing():
            return self._fn(*args, **kwargs)
        with self._lock:
            return self._try(record, leaves, args, kwargs)

    def _try(self, record, leaves, args, kwargs):
        before = _surroundings()
        if record.needs_gradients:
            entry = GradEntry(self._fn, args, kwargs, leaves, self._mode)
        else:
            entry = Entry(self._fn, args, kwargs, leaves, self._mode, self._static)
            record.needs_gradients = entry.needs_gradients
        if entry.reason is None and _surroundings() != before:
            entry.reason = "the function changes modes of PyTorch, which a replay would not"
        if entry.reason is None:
            record.entries.append(entry)
            # The extension counts modes only.
            if not self._verify and not _function_modes():
                fast.add(self, entry, args, kwargs, leaves)
            record.attempts = _ATTEMPTS if len(record.entries) < _MOST else 0
            record.reason = "its state differs from call to call" if record.attempts == 0 else None
        else:
            record.attempts -= 1
            record.reason = entry.reason
        return entry.forget()

    def _record(self, leaves, spec):
        key = (spec, _surroundings(), *map(_signature, leaves), _identities(leaves))
        record = self._records.get(key)
        if record is None:
            with self._lock:
                record = self._records.setdefault(key, _Record(leaves))
                if len(self._records) > _SIGNATURES:
                    self._records.popitem(last=False)
                    self._warn()
        else:
            with contextlib.suppress(KeyError):  # another thread may have put it out
                self._records.move_to_end(key)
        return record

    def _warn(self):
        if not self._warned:
            self._warned = True
            name = getattr(self, "__name__", type(self._fn).__name__)
            warnings.warn(
                f"gpuos.compile: function={name}, signatures=more than {_SIGNATURES}, expected=few: shapes,"
                " numbers and objects among the arguments are part of a signature, and each is recorded"
                " anew; the one used longest ago is forgotten",
                RuntimeWarning,
                stacklevel=4,
            )

    def _replay(self, entry, inputs, leaves, args, kwargs):
        self._counted += 1
        if self._verify and self._counted % self._verify == 0:
            return self._compare(entry, inputs, leaves, args, kwargs)
        made, live = entry.replay(inputs)
        return entry.outputs(leaves, made, live)

    def _compare(self, entry, inputs, leaves, args, kwargs):
        """Replays on the real memory, puts it back as it was, runs eagerly and compares."""
        live, _, watched = inputs
        saved = [(n, live[n], live[n].clone()) for n in entry.touched]
        grads = [tensor.grad if tensor.is_leaf else None for tensor in watched]
        random = _random_states()
        made, memory = entry.replay(inputs)
        got = tree_leaves(entry.outputs(leaves, made, memory))
        got = [value.clone() if isinstance(value, torch.Tensor) else value for value in got]
        after = [storage.clone() for _, storage, _ in saved]
        for k, _ in entry.effects:
            watched[k].grad = grads[k]
        for _, storage, before in saved:
            storage.copy_(before)
        _restore(random)
        result = self._fn(*args, **kwargs)
        wanted = tree_leaves(result)
        for k, (one, other) in enumerate(zip(got, wanted, strict=True)):
            _require_close(f"result {k}", one, other)
        for (k, place), grad in zip(entry.effects, made):
            _require_close(f"gradient {k}", grad, watched[k].grad)
        for number, replayed in zip(entry.touched, after):
            for place in entry.written_places(number):
                _require_close(
                    f"memory written in place, {number}", place.on(replayed), place.on(live[number])
                )
        return result

    def explain(self, *args, **kwargs):
        """What of this call runs natively and what in PyTorch; calls the function if it must."""
        leaves, spec = tree_flatten((args, kwargs))
        record = self._record(leaves, spec)
        while not record.entries and record.attempts > 0:
            self(*args, **kwargs)
        name = getattr(self, "__name__", type(self._fn).__name__)
        if not record.entries:
            return f"{name}: runs in PyTorch: {record.reason}"
        lines = [f"{name}: recorded, {len(record.entries[-1].segments)} segments"]
        if record.attempts == 0:
            lines.append(f"other states run in PyTorch: {record.reason}, {_MOST} are recorded at most")
        return "\n".join(lines + record.entries[-1].explain())


def _again(fn, mode, verify, static_outputs):
    """A copy of a compiled function, which has recorded nothing yet."""
    return compile(fn, mode=mode, verify=verify, static_outputs=static_outputs)


class _Record:
    """What is known of one signature."""

    def __init__(self, leaves):
        # The signature names them by number, which nobody else must get.
        self.named = [leaf for leaf in leaves if not isinstance(leaf, torch.Tensor)]
        self.entries = []
        self.attempts = _ATTEMPTS
        self.reason = None
        self.needs_gradients = False


def _function_modes():
    return [
        torch._C._get_function_stack_at(k) for k in range(torch._C._len_torch_function_stack())
    ]


def _is_watched():
    """Whether something looks at every call: another recording, a transform, torch.compile."""
    return (
        torch._C._len_torch_dispatch_stack() > 0
        or torch._C._functorch.peek_interpreter_stack() is not None
        or torch.compiler.is_compiling()
        or torch.jit.is_tracing()
        or any(type(mode) is not DeviceContext for mode in _function_modes())
    )


def _surroundings():
    """Modes of PyTorch that change what a function computes."""
    return (
        torch.is_grad_enabled(),
        torch.is_inference_mode_enabled(),
        tuple(
            (torch.is_autocast_enabled(kind), torch.get_autocast_dtype(kind)) for kind in ("cpu", "cuda")
        ),
        torch.get_default_dtype(),
        torch.are_deterministic_algorithms_enabled(),
        torch.get_float32_matmul_precision(),
        tuple(str(mode.device) for mode in _function_modes()),
    )


def _signature(leaf):
    if isinstance(leaf, torch.Tensor):
        if leaf.layout != torch.strided or type(leaf) not in (torch.Tensor, torch.nn.Parameter):
            return type(leaf), leaf.layout
        return (
            type(leaf),
            leaf.dtype,
            leaf.device,
            leaf.size(),
            leaf.stride(),
            leaf.storage_offset(),
            leaf.untyped_storage().nbytes(),
            leaf.data_ptr() % 16,
            leaf.requires_grad,
            leaf.is_neg(),
            leaf._is_zerotensor(),
        )
    if type(leaf) in (int, float, bool, complex, str, bytes, type(None)):
        return type(leaf), repr(leaf)
    return type(leaf), id(leaf)


def _identities(leaves):
    """For each tensor the first argument that is the same one."""
    first = {}
    return tuple(
        first.setdefault(id(leaf), k) for k, leaf in enumerate(leaves) if isinstance(leaf, torch.Tensor)
    )


def _random_states():
    return torch.get_rng_state(), torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else None


def _restore(states):
    torch.set_rng_state(states[0])
    if states[1] is not None:
        torch.cuda.set_rng_state_all(states[1])


def _require_close(what, got, wanted):
    if not isinstance(wanted, torch.Tensor):
        same = type(got) is type(wanted) and repr(got) == repr(wanted)
        message = f"{got} is not {wanted}"
    else:
        try:
            torch.testing.assert_close(got.detach(), wanted.detach(), equal_nan=True)
            return
        except AssertionError as differs:
            same, message = False, " ".join(str(differs).split())
    if not same:
        raise GpuosError(f"a replay differs from PyTorch: where={what}, difference={message}")
