"""What is computed: many units of one step, each with operands of its own, and what has to come out.

A step writes its result into a tensor it is given, so that every result has memory of its own that can be
poisoned before and checked after. Values change from round to round: there are two sets of them.
"""

import torch

# Of 1 + the magnitude of the expected number, against float64; results are float32.
TOLERANCE = 1e-4
SETS = 2


class Work:
    """Units of one step on a device.

    Operands are there twice, with the same values: `separate` tensors, for what is called unit by unit, and
    `slabs`, whose rows are the units, for what takes them all in one call. `start` is the first of a chain, in
    which each unit reads the result of the one before; otherwise None.
    """

    def __init__(self, step, units, seed, device):
        self.step = step
        self.units = units
        self.device = device
        generator = torch.Generator().manual_seed(seed)

        def values(shape, bounds):
            least, most = bounds
            made = torch.rand(shape, generator=generator) * (most - least) + least
            return made.to(device)

        self.sets, self.expected = [], []
        for _ in range(SETS):
            operands = [values((units, *shape), bounds) for shape, bounds in step.operands]
            start = values(step.result, (-1, 1)) if step.chained else None
            self.sets.append((operands, start))
            self.expected.append(_expected(step, operands, start))
        operands, start = self.sets[0]
        self.slabs = [one.clone() for one in operands]
        self.separate = [[row.clone() for row in slab.unbind(0)] for slab in operands]
        self.start = start.clone() if step.chained else None
        self.results = torch.empty((units, *step.result), device=device)
        self.each = [torch.empty(step.result, device=device) for _ in range(units)]
        self.poison()

    @property
    def inputs(self):
        """Operands of each unit."""
        return list(zip(*self.separate))

    def load(self, number):
        """Gives the operands the values of a set."""
        operands, start = self.sets[number]
        for slab, tensors, values in zip(self.slabs, self.separate, operands):
            slab.copy_(values)
            torch._foreach_copy_(tensors, list(values.unbind(0)))
        if start is not None:
            self.start.copy_(start)

    def poison(self):
        """Fills all results with NaN."""
        self.results.fill_(float("nan"))
        torch._foreach_mul_(self.each, float("nan"))

    def error(self, number, results):
        """The largest deviation of results from a set's, of 1 + magnitude; infinite for NaN."""
        got = results if isinstance(results, torch.Tensor) else torch.stack(list(results))
        wanted = self.expected[number][: len(got)]
        off = (got.double() - wanted).abs() / (1 + wanted.abs())
        return torch.nan_to_num(off, nan=float("inf")).max().item()


def _expected(step, operands, start):
    """In float64, on the processor."""
    exact = [one.cpu().double() for one in operands]
    if not step.chained:
        return step.reference(*exact).to(operands[0].device)
    last, results = start.cpu().double(), []
    for unit in zip(*exact):
        last = step.reference(last, *unit)
        results.append(last)
    return torch.stack(results).to(operands[0].device)


class Step:
    """One unit: into(y, *operands) writes, value(*operands) returns; reference does it in float64.

    `operands` are shapes with bounds of the values, `result` is the result's shape. A chained step has the last
    result as an operand before those. `fused` does all units in PyTorch's own fused form and returns
    the results, or is None, and then `unfused` says why.
    """

    chained = False
    fused = None
    unfused = "PyTorch has no fused form of it"


class Add(Step):
    def __init__(self, elements, chained=False):
        shape = (elements,)
        self.chained = chained
        self.operands = [(shape, (-1, 1))] * (1 if chained else 2)
        self.result = shape
        if chained:
            self.unfused = "foreach has no dependent operations"
        else:
            self.fused = self._foreach

    @staticmethod
    def into(y, a, b):
        torch.add(a, b, out=y)

    @staticmethod
    def value(a, b):
        return a + b

    reference = value

    @staticmethod
    def _foreach(work):
        return torch._foreach_add(work.separate[0], work.separate[1])


class Mixed(Step):
    """a + b; * c; relu; sigmoid; / d."""

    def __init__(self, elements, chained=False):
        shape = (elements,)
        self.chained = chained
        bounds = [(-1, 1)] * (2 if chained else 3) + [(0.5, 1.5)]
        self.operands = [(shape, one) for one in bounds]
        self.result = shape
        if chained:
            self.unfused = "foreach has no dependent operations"
        else:
            self.fused = self._foreach

    @staticmethod
    def into(y, a, b, c, d):
        torch.div(torch.sigmoid(torch.relu((a + b) * c)), d, out=y)

    @staticmethod
    def value(a, b, c, d):
        return torch.sigmoid(torch.relu((a + b) * c)) / d

    reference = value

    @staticmethod
    def _foreach(work):
        a, b, c, d = work.separate
        y = torch._foreach_add(a, b)
        torch._foreach_mul_(y, c)
        torch._foreach_clamp_min_(y, 0)
        torch._foreach_sigmoid_(y)
        torch._foreach_div_(y, d)
        return y


class Decode(Step):
    """Attention of one query of 64 over keys: softmax(q k' / 8) v."""

    def __init__(self, keys):
        self.operands = [((1, 64), (-1, 1)), ((keys, 64), (-1, 1)), ((keys, 64), (-1, 1))]
        self.result = (1, 64)
        self.fused = self._sdpa

    @staticmethod
    def into(y, q, k, v):
        torch.matmul(torch.softmax((q @ k.t()) * 0.125, -1), v, out=y)

    @staticmethod
    def value(q, k, v):
        return torch.softmax((q @ k.transpose(-1, -2)) * 0.125, -1) @ v

    reference = value

    @staticmethod
    def _sdpa(work):
        attend = torch.nn.functional.scaled_dot_product_attention
        return [attend(q[None, None], k[None, None], v[None, None])[0, 0] for q, k, v in work.inputs]


class Sum(Step):
    def __init__(self, rows, width):
        self.operands = [((rows, width), (-1, 1))]
        self.result = (rows,)

    @staticmethod
    def into(y, x):
        torch.sum(x, -1, out=y)

    @staticmethod
    def value(x):
        return x.sum(-1)

    reference = value
