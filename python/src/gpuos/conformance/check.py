"""Records a case, changes its data, replays it and compares."""

import torch
from torch.utils._pytree import tree_flatten

import gpuos
from gpuos import plan
from gpuos.conformance import database
from gpuos.conformance.cases import Skipped, run
from gpuos.conformance.memory import (
    copied,
    is_plain,
    is_twin,
    overwrite,
    same_contents,
    shuffled,
    tensors,
)

# What they give is whatever memory held.
UNDEFINED = ("empty", "empty_like", "empty_strided", "empty_permuted", "new_empty", "new_empty_strided")

NATIVE, PARTLY, FELL_BACK, WRONG, SKIPPED = "native", "partly", "fell back", "wrong", "skipped"


class Finding:
    """What became of a case, and why."""

    def __init__(self, verdict, reasons=()):
        self.verdict = verdict
        self.reasons = list(reasons)


def check(op, case, redrawn, seed):
    """Args:
    redrawn: leaves of the same case from other random numbers; of another form, or none, they
        are not used, and elements are shuffled instead
    """
    if not is_plain(case.leaves):
        return Finding(SKIPPED, ["a tensor that is not strided memory of real numbers"])
    try:
        run(case.call, copied(case.leaves), seed)
        changed, wanted, written = _changed(case, redrawn, seed)
        doubtful = op.name in UNDEFINED or _differs(case, changed, wanted, seed)
    except Skipped as skipped:
        return Finding(SKIPPED, [str(skipped)])
    compiled = gpuos.compile(case.call)
    try:
        database.seed_all(seed)
        compiled(*case.leaves)
        overwrite(case.leaves, changed)
        database.seed_all(seed)
        got = compiled(*case.leaves)
    except Exception as error:
        return Finding(WRONG, [f"{case.variant}: {type(error).__name__}: {_line(error)}"])
    entry, reason = _entry(compiled)
    if entry is None:
        return Finding(FELL_BACK, [reason])
    try:
        compare(got, wanted, {} if doubtful else database.tolerances(op, _dtype(case)), doubtful)
        if not doubtful:
            compare(tensors(case.leaves), written, database.tolerances(op, _dtype(case)), False)
    except AssertionError as differs:
        return Finding(WRONG, [f"{case.variant}: {_line(differs)}"])
    return _finding(entry)


def _dtype(case):
    return next((t.dtype for t in tensors(case.leaves) if t.dtype.is_floating_point), torch.int64)


def _changed(case, redrawn, seed):
    """Other data, what PyTorch gives for it, and how it leaves the arguments."""
    database.seed_all(seed + 2)
    candidates = []
    if redrawn is not None and is_twin(case.leaves, redrawn):
        if not same_contents(case.leaves, redrawn):
            candidates.append(redrawn)
    candidates += [shuffled(case.leaves, True), shuffled(case.leaves, False)]
    candidates.append(copied(case.leaves))
    for candidate in candidates:
        work = copied(candidate)
        try:
            return candidate, run(case.call, work, seed), tensors(work)
        except Skipped as skipped:
            failure = skipped
    raise failure


def _differs(case, changed, wanted, seed):
    """Whether PyTorch itself gives something else the second time."""
    try:
        compare(run(case.call, copied(changed), seed), wanted, {"rtol": 0, "atol": 0}, False)
    except AssertionError:
        return True
    return False


def compare(got, wanted, tolerances, form_only):
    """Compares trees of results.

    Raises:
        AssertionError: if they differ
    """
    got, spec = tree_flatten(got)
    wanted, other = tree_flatten(wanted)
    assert len(got) == len(wanted), f"results: {spec}, expected={other}"
    for one, other in zip(got, wanted):
        if not isinstance(other, torch.Tensor):
            assert type(one) is type(other) and repr(one) == repr(other), f"{one} is not {other}"
            continue
        assert one.size() == other.size(), f"size: {list(one.size())}, expected={list(other.size())}"
        assert one.dtype == other.dtype, f"dtype: {one.dtype}, expected={other.dtype}"
        if other.numel():
            assert one.stride() == other.stride(), f"stride: {one.stride()}, expected={other.stride()}"
        if form_only:
            continue
        kwargs = tolerances if other.dtype.is_floating_point else {}
        default = torch.testing._comparison.default_tolerances(other.dtype) if kwargs else None
        if default is not None:
            kwargs = {"rtol": max(kwargs["rtol"], default[0]), "atol": max(kwargs["atol"], default[1])}
        if tolerances.get("rtol") == 0:
            kwargs = {"rtol": 0, "atol": 0}
        torch.testing.assert_close(one.detach(), other.detach(), equal_nan=True, **kwargs)


def _entry(compiled):
    """The recording, or none and the reason."""
    for record in compiled._records.values():
        if record.entries:
            return record.entries[-1], None
        return None, str(record.reason)
    return None, "runs in PyTorch"


def _finding(entry):
    native = [segment for segment in entry.segments if isinstance(segment, plan.Native)]
    others = [segment for segment in entry.segments if not isinstance(segment, plan.Native)]
    reasons = {f"{call.function}: {call.reason}" for segment in others for call in segment.calls}
    if not others:
        return Finding(NATIVE)
    return Finding(PARTLY if native else FELL_BACK, sorted(reasons))


def _line(error):
    return " ".join(str(error).split())[:400]
