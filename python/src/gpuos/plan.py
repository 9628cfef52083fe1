"""A trace as segments: maximal runs of native calls, and calls that PyTorch makes in between."""

import torch
from torch.utils._pytree import tree_map

from gpuos import _bridge
from gpuos.text import graph_text
from gpuos.trace import Place


class Eager:
    """Calls that PyTorch makes again, on the live memory, below autograd and autocast."""

    def __init__(self, calls):
        self.calls = calls

    def run(self, live, stream):
        for call in self.calls:
            put = lambda value: value.on(live[value.storage]) if isinstance(value, Place) else value
            result = call.function(*tree_map(put, call.args), **tree_map(put, call.kwargs))
            results = result if isinstance(result, (tuple, list)) else (result,)
            flat = [item for part in results for item in (part if isinstance(part, (tuple, list)) else (part,))]
            for value, place in zip(flat, call.results):
                if place is not None and place.storage in call.made and live[place.storage] is None:
                    live[place.storage] = value.untyped_storage()

    def explain(self):
        return [f"  {call.function}: {call.reason}" for call in self.calls]


class Native:
    """Calls that run as one program. Allocates nothing: its outputs are there before."""

    def __init__(self, calls, text, addressed, device, mode):
        self.calls = calls
        self.addressed = addressed
        self.device = device
        self.program = _bridge.Program(str(device), text, mode)

    def run(self, live, stream):
        self.program.replay([live[number].data_ptr() for number in self.addressed], stream(self.device))

    def explain(self):
        names = [f"  {call.function}" for call in self.calls]
        return names + ["  plan:"] + ["    " + line for line in self.program.explain().splitlines()]


def current_stream(device):
    """Handle of the stream PyTorch works on; 0 on the CPU."""
    if device.type != "cuda":
        return 0
    number = torch.cuda.current_device() if device.index is None else device.index
    return torch._C._cuda_getCurrentRawStream(number)


def is_capturing():
    """Whether a CUDA graph is being made of the current stream; builds for the CPU make none."""
    return torch.cuda.is_initialized() and torch.cuda.is_current_stream_capturing()


def judge(calls, memory, kept=None):
    """Gives each call without one the reason why it is not native, if there is any.

    Args:
        kept: storages whose contents are needed after the last call, if that is known
    """
    if kept is not None:
        _leave_out(calls, memory, kept)
    groups = {}
    for call in calls:
        places = call.places + [place for place in call.results if place]
        devices = {memory.devices[place.storage] for place in places}
        if call.reason is None and len(devices) != 1:
            call.reason = "tensors on several devices" if devices else "no tensors"
        if call.reason is None and next(iter(devices)).type not in ("cpu", "cuda"):
            call.reason = f"tensors on {next(iter(devices))}; those on cpu and cuda are served"
        if call.reason is None:
            groups.setdefault(devices.pop(), []).append(call)
    sizes = [storage.nbytes() for storage in memory.storages]
    roles = ["temporary" if k in memory.made else "input" for k in range(len(sizes))]
    for device, group in groups.items():
        text, _ = graph_text(list(enumerate(group)), roles, sizes, device)
        for call, reason in zip(group, _bridge.support(text), strict=True):
            call.reason = reason or None


def _leave_out(calls, memory, kept):
    """Takes out results on another device than a call's first, where nobody needs them.

    Attention gives the state of its random numbers so, also where it uses none.
    """
    used = set(kept).union(*({place.storage for place in call.places} for call in calls))
    for call in calls:
        first = next((place for place in call.results if place), None)
        if first is not None and call.reason is None:
            home = memory.devices[first.storage]
            call.results = [
                None if place and memory.devices[place.storage] != home and place.storage not in used else place
                for place in call.results
            ]


def cut(calls, memory, kept, mode):
    """The segments of judged calls, and the storages to be allocated before they run.

    Args:
        kept: storages whose contents are needed after the last call
    """
    runs = []
    for index, call in enumerate(calls):
        place = next((p for p in call.results + call.places if p), None)
        kind = memory.devices[place.storage] if call.reason is None else None
        if not runs or runs[-1][0] != kind:
            runs.append((kind, []))
        runs[-1][1].append((index, call))
    touched = [
        {p.storage for _, call in run for p in call.places + call.results if p} for _, run in runs
    ]
    sizes = [storage.nbytes() for storage in memory.storages]
    segments, allocated, begun = [], set(), set()
    for k, (device, run) in enumerate(runs):
        if device is None:
            made = {number for _, call in run for number in call.made}
            # What `empty` made has no call that makes it.
            allocated |= {n for n in touched[k] if n in memory.made and n not in begun | made}
            segments.append(Eager([call for _, call in run]))
        else:
            after = kept.union(*touched[k + 1 :])
            roles = {}
            for number in touched[k]:
                if number not in memory.made or number in begun:
                    roles[number] = "input"
                elif number in after:
                    roles[number] = "output"
                    allocated.add(number)
                else:
                    roles[number] = "temporary"
            text, addressed = graph_text(run, roles, sizes, device)
            segments.append(Native([call for _, call in run], text, addressed, device, mode))
        begun |= touched[k]
    allocated |= {number for number in kept if number in memory.made and number not in begun}
    return segments, sorted(allocated)
