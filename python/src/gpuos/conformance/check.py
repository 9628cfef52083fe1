"""Records a case, changes its data, replays it and compares."""

import torch
from torch.utils._pytree import tree_flatten, tree_leaves

import gpuos
from gpuos import plan
from gpuos.conformance import database
from gpuos.conformance.cases import Skipped, run
from gpuos.conformance.memory import (
    copied,
    is_twin,
    overwrite,
    same_contents,
    shuffled,
    tensors,
)

# What they give is whatever memory held.
UNDEFINED = ("empty", "empty_like", "empty_strided", "empty_permuted", "new_empty", "new_empty_strided")

# Their samples name places more than once; which element is there in the end is not determined.
RACING = ("nn.functional.max_unpool1d", "nn.functional.max_unpool2d", "nn.functional.max_unpool3d")

_FLOATING = (torch.float32, torch.float16, torch.bfloat16)

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
    try:
        tried = copied(case.leaves)
        run(case.call, tried, seed)
        if not is_twin(tried, case.leaves):
            return Finding(SKIPPED, ["arguments get another form, and nothing is computed"])
        changed, wanted, written = _changed(case, redrawn, seed)
        on_gpu = any(tensor.is_cuda for tensor in tensors(case.leaves))
        doubtful = op.name in UNDEFINED or on_gpu and op.name in RACING
        doubtful = doubtful or _differs(case, changed, wanted, seed)
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
    judge = Judge(op, case, changed, seed, doubtful)
    try:
        judge.compare(got, wanted, written)
    except AssertionError as differs:
        return Finding(WRONG, [f"{case.variant}: {_line(differs)}"])
    if entry is not None:
        return _finding(entry)
    if reason.endswith("no calls"):
        return Finding(SKIPPED, ["nothing is computed"])
    return Finding(FELL_BACK, [reason])


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
        again = tensors(tree_leaves(run(case.call, copied(changed), seed)))
        for one, other in zip(again, tensors(tree_leaves(wanted)), strict=True):
            torch.testing.assert_close(one, other, rtol=0, atol=0, equal_nan=True)
    except (AssertionError, ValueError):
        return True
    return False


class Judge:
    """Compares a replay with PyTorch: form exactly, values within tolerances.

    Rounding differs with the order of sums, and where values cancel it is all that is left. So a
    value beyond the tolerances is also right if it is about as near as PyTorch's values are
    to what it computes in double precision.
    """

    def __init__(self, op, case, changed, seed, form_only):
        self._op = op
        self._case = case
        self._changed = changed
        self._seed = seed
        self._form_only = form_only
        self._exact = None

    def compare(self, got, wanted, written):
        """Results, and the leaves after the call.

        Raises:
            AssertionError: if they differ
        """
        results, spec = tree_flatten(got)
        expected, other = tree_flatten(wanted)
        assert len(results) == len(expected), f"results: {spec}, expected={other}"
        for k, (one, other) in enumerate(zip(results, expected)):
            if not isinstance(other, torch.Tensor):
                assert type(one) is type(other) and repr(one) == repr(other), f"{one} is not {other}"
                continue
            self._form(one, other)
            if not self._form_only:
                self._values(one, other, lambda exact: tree_leaves(exact[0])[k])
        if not self._form_only:
            for k, (one, other) in enumerate(zip(tensors(self._case.leaves), written, strict=True)):
                self._values(one, other, lambda exact: exact[1][k])

    def _form(self, one, other):
        assert one.size() == other.size(), f"size: {list(one.size())}, expected={list(other.size())}"
        assert one.dtype == other.dtype, f"dtype: {one.dtype}, expected={other.dtype}"
        # Formulas of gradients choose other strides when something looks at their calls.
        if other.numel() and self._case.variant != "gradient":
            assert one.stride() == other.stride(), f"stride: {one.stride()}, expected={other.stride()}"

    def _values(self, one, other, pick):
        one, other = one.detach(), other.detach()
        kwargs = {}
        if other.dtype.is_floating_point:
            given = database.tolerances(self._op, other.dtype)
            rtol, atol = torch.testing._comparison.default_tolerances(other.dtype)
            kwargs = {"rtol": max(rtol, given.get("rtol", 0)), "atol": max(atol, given.get("atol", 0))}
        try:
            torch.testing.assert_close(one, other, equal_nan=True, **kwargs)
        except AssertionError:
            if not other.dtype.is_floating_point or not self._is_as_near(one, other, pick, **kwargs):
                raise

    def _is_as_near(self, one, other, pick, rtol, atol):
        if self._exact is None:
            self._exact = self._in_double()
        exact = pick(self._exact) if self._exact else None
        if not isinstance(exact, torch.Tensor) or exact.size() != other.size():
            return False
        exact = exact.detach()
        error = (other.double() - exact).abs()
        error = error.nan_to_num(0, 0, 0).max() if error.numel() else 0
        allowed = atol + rtol * exact.abs() + 2 * error
        near = (one.double() - exact).abs() <= allowed
        alike = (one == other) | (one.isnan() & other.isnan())
        return bool((near | alike).all())

    def _in_double(self):
        """Results and leaves of the case in double precision, if PyTorch has it."""
        leaves = [
            leaf.detach().double().requires_grad_(leaf.requires_grad)
            if isinstance(leaf, torch.Tensor) and leaf.dtype.is_floating_point
            else leaf
            for leaf in copied(self._changed)
        ]
        leaves = [torch.float64 if any(leaf is dtype for dtype in _FLOATING) else leaf for leaf in leaves]
        try:
            return run(self._case.call, leaves, self._seed), tensors(leaves)
        except Skipped:
            return ()


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
