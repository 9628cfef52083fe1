"""`torch.compile(model, backend="gpuos")`: the graphs of AOTAutograd, forward and backward, as programs.

Dynamo guards what Python does, AOTAutograd makes graphs of ATen calls without side effects but on
their arguments. So each graph is recorded as it runs for the first time on arguments of a form, and
replayed on others of that form.
"""

import collections
import importlib.metadata
import sys
import threading

import torch
from torch.utils._pytree import tree_flatten, tree_unflatten

from gpuos import plan
from gpuos.compiled import MODES, _signature
from gpuos.errors import GpuosError
from gpuos.trace import Place, Refused, Tracer, check_kind

NAME = "gpuos"
_GROUP = "torch_dynamo_backends"
_TARGET = "gpuos.backend:backend"

# Forms of arguments that are kept for one graph, those used last.
_MOST = 64


def backend(module, example_inputs, *, mode=None, options=None):
    """The backend, as Dynamo calls it.

    Args:
        options: of `torch.compile`; `{"mode": "resident"}` or `"stream"` is as of `gpuos.compile`
    """
    from torch._dynamo.backends.common import aot_autograd

    options = dict(options or {})
    chosen = options.pop("mode", mode or "auto")
    if chosen not in MODES or options:
        raise ValueError(
            f"backend gpuos: mode={chosen}, other options={sorted(options)},"
            f" expected=mode as one of {', '.join(MODES)} and no others"
        )

    def compiler(graph, inputs):
        from torch._functorch.aot_autograd import make_boxed_func

        return make_boxed_func(Graph(graph, chosen))

    return aot_autograd(fw_compiler=compiler, bw_compiler=compiler, inference_compiler=compiler)(
        module, example_inputs
    )


class Graph:
    """A graph of ATen calls without other effects than on its arguments. Thread-safe."""

    def __init__(self, module, mode="auto"):
        self._module = module
        self._mode = mode
        self._lock = threading.Lock()
        self._recordings = collections.OrderedDict()
        # Operators of operators run under no mode; such a graph stays in PyTorch.
        self._recordable = not any(
            node.op == "call_function" and isinstance(node.target, torch._ops.HigherOrderOperator)
            for node in module.graph.nodes
        )

    def __call__(self, *args):
        if not self._recordable or torch._C._len_torch_dispatch_stack() > 0:
            return self._module(*args)
        key = (*map(_signature, args), *_same_memory(args))
        with self._lock:
            recording = self._recordings.get(key)
            if recording is not None:
                self._recordings.move_to_end(key)
        if recording is None:
            # What recording allocates and compiles does not belong into a CUDA graph.
            if plan.is_capturing():
                return self._module(*args)
            return self._record(key, args)
        live = recording.live(args)
        return self._module(*args) if live is None else recording.replay(args, live)

    def _record(self, key, args):
        recording = Recording(self._module, args, self._mode)
        with self._lock:
            self._recordings[key] = recording
            if len(self._recordings) > _MOST:
                self._recordings.popitem(last=False)
        return recording.take_result()

    def explain(self):
        """What of the forms that were met runs natively."""
        with self._lock:
            recordings = list(self._recordings.values())
        return "\n".join(line for recording in recordings for line in recording.explain())


class Recording:
    """One form of arguments: segments, or the reason why the graph runs in PyTorch."""

    def __init__(self, module, args, mode):
        """Runs the graph on `args`; `take_result` gives what it returned."""
        self.reason = None
        self.segments = []
        tracer = Tracer()
        with torch.no_grad(), tracer:
            self._result = module(*args)
        try:
            if tracer.refusal:
                raise Refused(tracer.refusal)
            self._settle(tracer, args, mode)
        except (Refused, GpuosError) as refused:
            self.reason = str(refused)

    def take_result(self):
        result, self._result = self._result, None
        return result

    def _settle(self, tracer, args, mode):
        memory = tracer.memory
        flat, self.spec = tree_flatten(self._result)
        self.results = [self._place(memory, args, value) for value in flat]
        used = {p.storage for call in tracer.calls for p in call.places + call.results if p}
        used |= {what.storage for kind, what in self.results if kind == "place"}
        written = {number for call in tracer.calls for number in call.written}
        self.sources, self.touched = [], []
        for number in sorted(used - memory.made):
            self.sources.append((number, *_source(memory, number, args)))
            if number in written:
                self.touched.append(self.sources[-1])
        kept = {what.storage for kind, what in self.results if kind == "place"} & memory.made
        plan.judge(tracer.calls, memory)
        if all(call.reason for call in tracer.calls):
            first = tracer.calls[0].reason if tracer.calls else "no calls"
            raise Refused(f"no call is native; the first: {first}")
        self.segments, allocated = plan.cut(tracer.calls, memory, kept, mode)
        self.allocated = [
            (number, memory.storages[number].nbytes(), memory.devices[number]) for number in allocated
        ]
        self.count = len(memory.storages)
        if not self._apart([memory.storages[number] for number, *_ in self.sources]):
            raise Refused("storages from outside share memory, and one is written")

    @staticmethod
    def _place(memory, args, value):
        if not isinstance(value, torch.Tensor):
            return "constant", value
        for index, arg in enumerate(args):
            if arg is value:
                return "argument", index
        check_kind(value)
        return "place", Place(memory.number(value), value)

    def live(self, args):
        """The storages of a call by number, or None where it cannot be replayed."""
        if self.reason is not None:
            return None
        live = [None] * self.count
        for number, kind, what in self.sources:
            live[number] = args[what].untyped_storage() if kind == "argument" else what
        return live if self._apart([live[number] for number, *_ in self.sources]) else None

    def _apart(self, storages):
        return not self.touched or apart(storages)

    def replay(self, args, live):
        """Runs the segments and returns what the graph would."""
        for number, size, device in self.allocated:
            live[number] = torch.empty(size, dtype=torch.uint8, device=device).untyped_storage()
        outside = {number: what for number, kind, what in self.sources if kind == "argument"}
        with torch.no_grad(), torch._C._DisableAutocast():
            for segment in self.segments:
                segment.run(live, plan.current_stream)
            for number, kind, what in self.touched:
                if kind == "argument" and not args[what].is_inference():
                    torch.autograd.graph.increment_version(args[what])
            values = []
            for kind, what in self.results:
                if kind == "constant":
                    values.append(what)
                elif kind == "argument":
                    values.append(args[what])
                elif what.storage in outside:
                    # A view, so that changes of its memory are noticed by autograd.
                    base = args[outside[what.storage]].detach()
                    same = base.dtype == what.dtype
                    form = (what.sizes, what.strides, what.offset)
                    values.append(base.as_strided(*form) if same else what.on(live[what.storage]))
                else:
                    values.append(what.on(live[what.storage]))
        return tree_unflatten(values, self.spec)

    def explain(self):
        if self.reason is not None:
            return [f"runs in PyTorch: {self.reason}"]
        lines = [f"recorded, {len(self.segments)} segments"]
        for segment in self.segments:
            kind = "native" if isinstance(segment, plan.Native) else "PyTorch"
            lines.append(f"{kind}, {len(segment.calls)} calls")
            lines += segment.explain()
        return lines


def apart(storages):
    """Whether no two storages lie in the same memory."""
    ranges = sorted(
        (storage.data_ptr(), storage.data_ptr() + storage.nbytes())
        for storage in storages
        if storage.nbytes()
    )
    return all(one[1] <= other[0] for one, other in zip(ranges, ranges[1:]))


def _source(memory, number, args):
    storage = memory.storages[number]
    for index, arg in enumerate(args):
        if isinstance(arg, torch.Tensor) and arg.untyped_storage()._cdata == storage._cdata:
            return "argument", index
    return "held", storage  # of the graph: a constant


def _same_memory(args):
    """For each tensor the first argument of the same storage."""
    first = {}
    return tuple(
        first.setdefault(arg.untyped_storage()._cdata, k)
        for k, arg in enumerate(args)
        if isinstance(arg, torch.Tensor) and arg.layout == torch.strided
    )


# ---- by name


class _Distribution(importlib.metadata.Distribution):
    """What an installed wheel would say: for a checkout on the path."""

    def read_text(self, filename):
        texts = {
            "METADATA": f"Metadata-Version: 2.1\nName: {NAME}\nVersion: 0.1.0\n",
            "entry_points.txt": f"[{_GROUP}]\n{NAME} = {_TARGET}\n",
        }
        return texts.get(filename)

    def locate_file(self, path):
        return path


class _Finder(importlib.metadata.DistributionFinder):
    """Lets Dynamo find the backend by its name without importing Dynamo here, which is slow."""

    @staticmethod
    def find_spec(name, path=None, target=None):
        return None

    @staticmethod
    def find_distributions(context=importlib.metadata.DistributionFinder.Context()):
        return [_Distribution()] if context.name in (None, NAME) else []


def register():
    """Makes `backend="gpuos"` known, whether the package is installed or only on the path."""
    registry = sys.modules.get("torch._dynamo.backends.registry")
    if registry is not None:
        if NAME not in registry._COMPILER_FNS:
            registry.register_backend(backend, name=NAME)
        return
    try:
        importlib.metadata.distribution(NAME)
    except importlib.metadata.PackageNotFoundError:
        sys.meta_path.append(_Finder())
