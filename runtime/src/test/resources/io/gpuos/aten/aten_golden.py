"""Writes aten_golden.txt: graphs as io.gpuos.aten reads them, with inputs and PyTorch's results.

Run with PyTorch on a CPU (the file came from 2.13.0):  python3 aten_golden.py
"""

import warnings

import torch
import torch.nn.functional as F
from torch.utils._python_dispatch import TorchDispatchMode, _disable_current_modes

warnings.filterwarnings("ignore")

aten = torch.ops.aten
NAMES = {
    torch.float64: "f64", torch.float32: "f32", torch.float16: "f16", torch.bfloat16: "bf16",
    torch.int64: "i64", torch.int32: "i32", torch.int16: "i16", torch.int8: "i8",
    torch.uint8: "u8", torch.bool: "bool",
}
F32, F64, F16, BF16 = torch.float32, torch.float64, torch.float16, torch.bfloat16
I64, I32, I8, U8, BOOL = torch.int64, torch.int32, torch.int8, torch.uint8, torch.bool


class Trace(TorchDispatchMode):
    """Writes down calls while they run. What it meets as an argument first is an input."""

    def __init__(self):
        super().__init__()
        self.storages, self.tensors, self.calls, self.kept = {}, {}, [], []

    def storage(self, tensor, is_input):
        storage = tensor.untyped_storage()
        if storage._cdata not in self.storages:
            before = bytes(storage.tolist()) if is_input else None
            self.storages[storage._cdata] = (len(self.storages), storage, before)
        return self.storages[storage._cdata][0]

    def tensor(self, tensor, is_input):
        if tensor is None:
            return "%-"
        self.kept.append(tensor)
        shape = ",".join(map(str, tensor.shape))
        strides = ",".join(map(str, tensor.stride()))
        place = (
            f"{self.storage(tensor, is_input)} {NAMES[tensor.dtype]} {tensor.storage_offset()} "
            f"[{shape}] [{strides}]"
        )
        return f"%{self.tensors.setdefault(place, len(self.tensors))}"

    def value(self, value):
        match value:
            case None: return "null"
            case bool(): return "true" if value else "false"
            case int() | float(): return repr(value)
            case str(): return f'"{value}"'
            case torch.Tensor(): return self.tensor(value, True)
            case torch.dtype(): return "dtype:" + NAMES[value]
            case list() | tuple(): return "[" + ",".join(map(self.value, value)) + "]"
            case _: return "?" + repr(value).replace(" ", "")

    def __torch_dispatch__(self, operator, types, args=(), kwargs=None):
        schema = operator._schema
        if schema.name.startswith("profiler::"):
            return operator(*args, **(kwargs or {}))
        fields = []
        for k, argument in enumerate(schema.arguments):
            given = (kwargs or {}).get(argument.name, argument.default_value)
            fields.append(f"{argument.name}={self.value(args[k] if k < len(args) else given)}")
        results = operator(*args, **(kwargs or {}))
        if any(r.alias_info and not r.alias_info.is_write for r in schema.returns):
            return results  # a view
        flat = []
        for result in results if isinstance(results, (tuple, list)) else [results]:
            flat += result if isinstance(result, (tuple, list)) else [result]
        written = ",".join(self.tensor(t, False) for t in flat) if schema.returns else ""
        line = f"call {len(self.calls)} {operator.name()} {' '.join(fields)} -> {written}"
        self.calls.append(line.rstrip(" ") if not written else line)
        return results

    def text(self):
        lines = ["gpuos-aten 1"]
        for number, storage, before in self.storages.values():
            role = "output" if before is None else "input"
            lines.append(f"storage {number} {storage.nbytes()} {role}")
        lines += [f"tensor {number} {place}" for place, number in self.tensors.items()]
        lines += self.calls
        for number, storage, before in self.storages.values():
            if before is not None:
                lines.append(f"before {number} {before.hex()}")
        for number, storage, before in self.storages.values():
            lines.append(f"after {number} {bytes(storage.tolist()).hex()}")
        return "\n".join(lines)


def rand(*shape, dtype=F32, positive=False):
    with _disable_current_modes():
        if dtype.is_floating_point:
            values = torch.randn(shape) * 2
        else:
            values = torch.randint(-4, 2 if dtype == BOOL else 9, shape)
        if positive or dtype in (BOOL, U8):
            values = values.abs() + (0 if dtype in (BOOL, U8) else 1)
        return values.to(dtype)


def cases():
    yield from one_tensor()
    yield from two_tensors()
    yield from three_tensors()
    yield from reductions()
    yield from rows_and_products()
    yield from copies()
    yield from gradients()
    yield from lists()
    yield from models()
    yield from places()
    yield from windows()


def one_tensor():
    names = (
        "exp exp2 expm1 log log2 log10 log1p sqrt rsqrt reciprocal sin cos tan asin acos atan sinh "
        "cosh tanh asinh acosh atanh erf erfc lgamma sigmoid neg abs floor ceil trunc relu silu mish "
        "hardsigmoid hardswish round frac sign sgn nan_to_num isnan isinf logical_not leaky_relu elu "
        "celu softplus hardtanh log_sigmoid_forward"
    ).split()

    def run(dtype):
        for name in names:
            getattr(aten, name)(rand(2, 3, dtype=dtype, positive=True))
            if hasattr(aten, name + "_"):
                getattr(aten, name + "_")(rand(3, 4, dtype=dtype, positive=True)[:, ::2])
            if name in ("sign", "sgn", "nan_to_num", "isnan", "relu"):
                getattr(aten, name)(special.to(dtype).t())

    special = torch.tensor([[float("nan"), float("inf"), float("-inf")], [-0.0, 0.5, -2.0]])
    yield "one tensor f32", lambda: run(F32)
    yield "one tensor f16", lambda: run(F16)
    yield "one tensor f64", lambda: run(F64)
    yield "one tensor i32", lambda: [
        getattr(aten, n)(rand(5, dtype=I32, positive=True))
        for n in "exp sqrt sigmoid neg abs floor relu sign logical_not bitwise_not isnan".split()
    ]
    yield "gelu", lambda: [
        F.gelu(rand(5, dtype=d), approximate=a) for d in (F32, BF16, F64) for a in ("none", "tanh")
    ]


def two_tensors():
    names = "add mul div pow maximum minimum atan2 eq ne lt le gt ge logical_and logical_xor".split()
    more = "sub remainder fmod floor_divide rsub".split()
    pairs = [(F32, F32), (F16, F32), (BF16, F16), (F64, F32), (I64, F16), (I32, I64), (U8, I8), (BOOL, I32)]

    def run(first, second):
        for name in names + (more if BOOL not in (first, second) else []):
            x = rand(3, 4, dtype=first, positive=True)
            y = rand(4, dtype=second, positive=True)
            if second in (U8, BOOL):
                continue
            getattr(torch, name)(x, y)
            getattr(torch, name)(y, x[0, 0] + 1 if name in ("remainder", "fmod", "floor_divide") else x[0, 0])

    for first, second in pairs:
        yield f"two tensors {NAMES[first]} {NAMES[second]}", lambda f=first, s=second: run(f, s)

    def numbers(dtype):
        for name in "add sub mul div remainder fmod floor_divide pow eq lt ge rsub".split():
            for number in (2, 0.3):
                getattr(torch, name)(rand(5, dtype=dtype, positive=True), number)
        for mode in (None, "trunc", "floor"):
            torch.div(rand(9, dtype=dtype), -2, rounding_mode=mode)
            torch.div(rand(9, dtype=dtype), rand(9, dtype=dtype, positive=True), rounding_mode=mode)
        torch.add(rand(3, dtype=dtype), rand(3, dtype=dtype), alpha=3)
        torch.sub(rand(3, dtype=dtype), rand(3, dtype=dtype), alpha=2)
        for exponent in (0, 1, 2, 3, 0.5):
            torch.pow(rand(3, dtype=dtype, positive=True), exponent)
        torch.pow(2, rand(3, dtype=dtype, positive=True))

    for dtype in (F32, F16, I32):
        yield f"numbers {NAMES[dtype]}", lambda d=dtype: numbers(d)
    yield "in place", lambda: (
        rand(4).add_(rand(4, dtype=I32)),
        rand(4, dtype=F16).add_(rand(4)),
        rand(4).eq_(0.0),
        rand(3, 4).t().mul_(rand(3)),
        rand(4).pow_(2),
    )
    yield "out", lambda: (
        torch.add(rand(3), rand(3), out=torch.empty(3, dtype=F64)),
        torch.mm(rand(2, 3), rand(3, 2), out=torch.empty(2, 2)),
        torch.sum(rand(2, 3), dim=1, out=torch.empty(2)),
        torch.eq(rand(3), rand(3), out=torch.empty(3, dtype=BOOL)),
    )


def three_tensors():
    def run(d):
        torch.clamp(rand(7, dtype=d), -1, 1)
        torch.clamp(rand(7, dtype=d), min=0.3)
        torch.clamp(rand(7, dtype=d), max=rand(7, dtype=d))
        torch.where(rand(3, 4) > 0, rand(3, 4, dtype=d), rand(4, dtype=d))
        torch.where(rand(3, 4) > 0, rand(3, 4, dtype=d), 0.5)
        rand(3, 4, dtype=d).masked_fill_(rand(3, 4) > 0, 2)
        torch.addcmul(rand(3, 4, dtype=d), rand(4, dtype=d), rand(3, 1, dtype=d), value=2)
        if d.is_floating_point:
            torch.addcdiv(rand(4, dtype=d), rand(4, dtype=d), rand(4, dtype=d, positive=True), value=0.1)
            torch.lerp(rand(4, dtype=d), rand(4, dtype=d), 0.3)
            torch.lerp(rand(4, dtype=d), rand(4, dtype=d), 0.7)
            torch.lerp(rand(4, dtype=d), rand(4, dtype=d), rand(4, dtype=d))

    for dtype in (F32, F16, F64, I32):
        yield f"three tensors {NAMES[dtype]}", lambda d=dtype: run(d)


def reductions():
    def run(d):
        for name in "sum prod any all".split():
            getattr(torch, name)(rand(2, 3, 4, dtype=d))
            getattr(torch, name)(rand(2, 3, 4, dtype=d).transpose(0, 2), dim=-1, keepdim=True)
        torch.sum(rand(2, 3, 4, dtype=d), dim=(0, -1))
        torch.sum(rand(2, 3, dtype=d), dtype=F32)
        torch.sum(rand(2, dtype=d)[0], dim=0)
        torch.amax(rand(2, 3, dtype=d), dim=(0, 1))
        torch.max(rand(2, 3, dtype=d))
        torch.max(rand(2, 9, dtype=d), dim=1)
        torch.min(rand(2, 9, dtype=d), 0)
        torch.aminmax(rand(3, 4, dtype=d), dim=0)
        if d != BOOL:
            torch.argmax(rand(2, 5, dtype=d))
            torch.argmin(rand(2, 5, dtype=d), dim=1, keepdim=True)
        if d.is_floating_point:
            torch.mean(rand(2, 3, dtype=d))
            torch.mean(rand(2, 3, dtype=d), dim=0, keepdim=True)
            torch.var(rand(5, 6, dtype=d), dim=1, correction=0)
            torch.std(rand(5, 6, dtype=d))
            torch.var_mean(rand(5, 6, dtype=d), dim=1)
            for order in (2, 1, 0, float("inf")):
                torch.linalg.vector_norm(rand(5, 6, dtype=d), order, dim=1)
            torch.logsumexp(rand(5, 6, dtype=d), (0, 1))
            torch.logsumexp(torch.full((2, 3), float("-inf"), dtype=d), 1)

    for dtype in (F32, F16, F64, I64, U8, BOOL):
        yield f"reductions {NAMES[dtype]}", lambda d=dtype: run(d)


def rows_and_products():
    def run(d):
        torch.softmax(rand(5, 6, dtype=d), -1)
        torch.softmax(rand(5, 6, dtype=d).t(), 1)
        F.layer_norm(rand(5, 6, dtype=d), (6,), rand(6, dtype=d), rand(6, dtype=d))
        F.layer_norm(rand(2, 5, 6, dtype=d), (5, 6))
        F.rms_norm(rand(5, 6, dtype=d), (6,), rand(6, dtype=d))
        torch.mm(rand(3, 4, dtype=d), rand(5, 4, dtype=d).t())
        torch.bmm(rand(2, 3, 4, dtype=d), rand(2, 4, 5, dtype=d))
        torch.mv(rand(3, 4, dtype=d), rand(4, dtype=d))
        torch.dot(rand(4, dtype=d), rand(4, dtype=d))
        torch.addmm(rand(5, dtype=d), rand(3, 4, dtype=d), rand(4, 5, dtype=d))
        torch.addmm(rand(3, 5, dtype=d), rand(3, 4, dtype=d), rand(4, 5, dtype=d), beta=0.5, alpha=2)
        torch.addmm(torch.full((3, 5), float("nan"), dtype=d), rand(3, 4, dtype=d), rand(4, 5, dtype=d), beta=0)
        torch.baddbmm(rand(2, 3, 5, dtype=d), rand(2, 3, 4, dtype=d), rand(2, 4, 5, dtype=d))
        F.linear(rand(2, 3, 4, dtype=d), rand(5, 4, dtype=d), rand(5, dtype=d))

    for dtype in (F32, F64, F16):
        yield f"rows and products {NAMES[dtype]}", lambda d=dtype: run(d)
    yield "log softmax", lambda: [torch.log_softmax(rand(5, 6, dtype=d), 1) for d in (F32, F64)]


def copies():
    def run(d):
        for to in (I32, F16, F32, BOOL):
            rand(3, 4, dtype=d).to(to)
        rand(3, 4, dtype=d).t().contiguous()
        torch.zeros(3, 4, dtype=d)
        torch.ones_like(rand(3, 4, dtype=d))
        torch.full((2, 3), 1.5, dtype=d)
        rand(3, 4, dtype=d)[:, 1:3].fill_(7)
        rand(3, 4, dtype=d).zero_()
        rand(3, 4, dtype=d).copy_(rand(4))
        torch.cat([rand(2, 3, dtype=d), rand(2, 1)], 1)
        torch.stack([rand(2, dtype=d), rand(2, dtype=d)], 1)
        rand(2, 3, dtype=d).flip(1)
        rand(2, 3, dtype=d).repeat(2, 1, 2)
        F.pad(rand(2, 3, dtype=d), (1, 2, 0, 1), value=3.0)
        torch.tril(rand(4, 5, dtype=d))
        torch.triu(rand(2, 4, 5, dtype=d), 1)

    for dtype in (F32, F16, I64):
        yield f"copies {NAMES[dtype]}", lambda d=dtype: run(d)
    yield "indices", lambda: (
        F.embedding(torch.tensor([[1, 2], [0, 3]]), rand(4, 5)),
        torch.gather(rand(3, 4), 1, torch.tensor([[0, 1], [2, 3], [1, 1]])),
        torch.index_select(rand(3, 4), 1, torch.tensor([3, 0])),
        aten.embedding_dense_backward(rand(2, 3, 5), torch.tensor([[1, 2, 1], [0, 3, 1]]), 4, -1, False),
        aten.embedding_dense_backward(rand(3, 5), torch.tensor([1, 2, 1]), 4, 2, False),
        torch.arange(2, 9, 3),
        torch.arange(0, 5, dtype=F32),
        aten.slice_backward(rand(2, 2), [2, 5], 1, 1, 5, 2),
        aten.select_backward(rand(2), [2, 5], 1, 3),
    )


def gradients():
    def run(d):
        for name, rest in dict(
            sigmoid_backward=(), tanh_backward=(), silu_backward=(), gelu_backward=(),
            mish_backward=(), hardsigmoid_backward=(), hardswish_backward=(),
            threshold_backward=(0.5,), leaky_relu_backward=(0.1, False), hardtanh_backward=(-1, 1),
            softplus_backward=(1.0, 20.0),
        ).items():
            getattr(aten, name)(rand(4, 5, dtype=d), rand(4, 5, dtype=d), *rest)
        aten.gelu_backward(rand(9, dtype=d), rand(9, dtype=d), approximate="tanh")
        for of_result in (False, True):
            aten.elu_backward(rand(9, dtype=d), 1.5, 1.1, 0.9, of_result, rand(9, dtype=d))
        if d == F16:
            return
        for name in "_softmax_backward_data _log_softmax_backward_data".split():
            getattr(aten, name)(rand(3, 4, dtype=d), rand(3, 4, dtype=d), 1, d)
        x, w = rand(5, 6, dtype=d), rand(6, dtype=d)
        _, mean, rstd = aten.native_layer_norm(x, [6], w, rand(6, dtype=d), 1e-5)
        aten.native_layer_norm_backward(
            rand(5, 6, dtype=d), x, [6], mean, rstd, w, rand(6, dtype=d), [True, True, True])
        for k, shape in enumerate([(3, 4), (), ()]):
            for name, rest in dict(mse_loss=(), smooth_l1_loss=(0.7,), huber_loss=(0.7,)).items():
                x, y = rand(3, 4, dtype=d), rand(3, 4, dtype=d)
                getattr(aten, name + "_backward")(rand(*shape, dtype=d), x, y, k, *rest)
        x, t = rand(5, 6, dtype=d), torch.tensor([0, 5, -100, 2, 3])
        for k in range(3):
            for weight in (None, rand(6, dtype=d, positive=True)):
                loss, total = aten.nll_loss_forward(x, t, weight, k, -100)
                aten.nll_loss_backward(rand(*loss.shape, dtype=d), x, t, weight, k, -100, total)

    for dtype in (F32, F64, F16):
        yield f"gradients {NAMES[dtype]}", lambda d=dtype: run(d)


def lists():
    def run():
        for name in "add sub mul div".split():
            getattr(torch, f"_foreach_{name}")([rand(3), rand(2, 2)], [rand(3), rand(2, 2)])
            getattr(torch, f"_foreach_{name}_")([rand(3), rand(2, 2)], 2.5)
            getattr(torch, f"_foreach_{name}")([rand(3), rand(2, 2)], [2.0, 3.0])
        torch._foreach_sqrt([rand(3, positive=True)])
        torch._foreach_addcdiv_([rand(3), rand(3)], [rand(3), rand(3)], [rand(3), rand(3)], [0.1, -0.2])
        torch._foreach_addcmul_([rand(3)], [rand(3)], [rand(3)], 0.5)
        torch._foreach_lerp_([rand(3)], [rand(3)], 0.1)
        torch._foreach_maximum_([rand(3)], [rand(3)])
        torch._foreach_copy_([rand(3)], [rand(3, dtype=F64)])
        torch._foreach_zero_([rand(3)])

    yield "lists", run

    def optimizers(flag, decay):
        for adam in (torch._fused_adam_, torch._fused_adamw_):
            most = [rand(4, positive=True)] if flag else []
            adam([rand(4)], [rand(4)], [rand(4)], [rand(4, positive=True)], most, [torch.tensor(3.0)],
                 lr=0.1, beta1=0.9, beta2=0.999, weight_decay=decay, eps=1e-8, amsgrad=flag, maximize=flag)
        torch._fused_sgd_([rand(4)], [rand(4)], [rand(4)], lr=0.1, momentum=0.9, dampening=0.1,
                          weight_decay=decay, nesterov=flag, maximize=False, is_first_step=False)

    yield "fused optimizers", lambda: optimizers(False, 0.0)
    yield "fused optimizers with everything", lambda: optimizers(True, 0.1)


def models():
    net = torch.nn.Sequential(
        torch.nn.Linear(6, 8), torch.nn.ReLU(), torch.nn.LayerNorm(8), torch.nn.Linear(8, 4))
    descent = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
    x, t = rand(5, 6), torch.tensor([0, 1, 2, 3, 0])

    def train():
        for _ in range(2):
            descent.zero_grad()
            F.cross_entropy(net(x), t).backward()
            descent.step()

    yield "training of a perceptron", train
    lstm, gru, y, h, c = torch.nn.LSTMCell(4, 3), torch.nn.GRUCell(4, 3), rand(2, 4), rand(2, 3), rand(2, 3)

    def cells():
        a, b = lstm(y, (h, c))
        (a.sum() + b.square().mean() + gru(y, h).sum()).backward()

    yield "training of recurrent cells", cells


def places():
    def order(d):
        for x in (rand(3, 5, dtype=d), rand(4, 3, dtype=d).t(), rand(dtype=d)):
            for name in "cumsum cumprod cummax cummin sort".split():
                getattr(aten, name)(x, -1)
            aten.sort(x, dim=-1, descending=True)
        aten.median(rand(7, dtype=d))
        aten.searchsorted(rand(2, 6, dtype=d).sort(1).values, rand(2, 3, dtype=d), right=True)
        aten.bucketize(rand(2, 3, dtype=d), rand(6, dtype=d))  # not sorted: the same search

    for dtype in (F32, I32, U8):
        yield f"order {NAMES[dtype]}", lambda d=dtype: order(d)

    def written(d):
        x, index = rand(4, 5, dtype=d), torch.tensor([[0, 3, 1], [2, 2, 0]])
        for name in ("scatter", "scatter_add"):
            getattr(aten, name)(x, 0, index, rand(2, 4, dtype=d))
            getattr(aten, name + "_")(rand(5, 4, dtype=d).t(), 1, index, rand(2, 3, dtype=d))
        aten.scatter(x, 1, index, 2)
        for name in ("index_add", "index_copy"):
            getattr(aten, name)(x, 1, torch.tensor([4, 0]), rand(4, 2, dtype=d))
        aten.index_fill(x, 0, torch.tensor([1, -1]), 3)
        for reduce in "sum prod mean amax amin".split():
            for include in (True, False):
                aten.scatter_reduce(x, 1, index, rand(2, 3, dtype=d), reduce, include_self=include)
        for reduce in "prod mean amax amin".split():
            aten.index_reduce(x, 0, torch.tensor([1, 1, 3]), rand(3, 5, dtype=d), reduce)
        one, other = torch.tensor([[1, -1], [0, 3]]), torch.tensor([2, -2])
        for indices in ([one], [None, other], [one, other], [other, None, one], [None, other, one]):
            y = rand(4, 5, 6, dtype=d).transpose(0, 2)
            shape = aten.index(y, indices).shape
            aten.index_put(y, indices, rand(*shape, dtype=d))
            aten.index_put_(y, indices, rand(dtype=d), True)
        aten.take(x, torch.tensor([[3, -1]]))
        aten.put_(x, torch.tensor([3, -1, 3]), rand(3, dtype=d), True)
        aten.masked_scatter(x, rand(5, dtype=BOOL), rand(30, dtype=d))

    for dtype in (F32, I64):
        yield f"indexed writes {NAMES[dtype]}", lambda d=dtype: written(d)

    def seen():
        x = rand(3, 4, 6).transpose(0, 1)
        aten.roll(x, [1, -2], [0, 2])
        aten.roll(x, [5])
        aten.rot90(x, 1, [0, 2])
        for call in (
            lambda: aten.select_scatter(x, rand(4, 6), 1, -1),
            lambda: aten.slice_scatter(x, rand(4, 3, 2), 2, 1, 6, 3),
            lambda: aten.diagonal_scatter(x, rand(6, 2), 1, 0, 1),
            lambda: aten.diagonal_copy(x, -1, 0, 2), lambda: aten.unfold_copy(x, 2, 3, 2),
            lambda: aten.view_copy(x, [12, 6]), lambda: aten.permute_copy(x, [2, 0, 1]),
            lambda: aten.pixel_shuffle(rand(2, 8, 3, 2), 2), lambda: aten.pixel_unshuffle(rand(2, 6, 4), 2),
            lambda: aten.channel_shuffle(rand(1, 6, 2, 2), 3), lambda: aten.trace(rand(3, 4)),
            lambda: aten.block_diag([rand(2, 3), rand(2)]), lambda: aten.diag_embed(rand(2, 3), 1),
            lambda: aten.constant_pad_nd(x, [1, -2, 0, 3], 7.0),
            lambda: aten.split_with_sizes_copy(x, [1, 3], 0),
        ):
            call()

    yield "copies of views", seen

    def special(d):
        x, y = rand(3, 4, dtype=d), rand(4, dtype=d)
        for name in "deg2rad rad2deg sinc signbit isposinf angle nansum count_nonzero".split():
            getattr(aten, name)(x)
        for name in "fmax fmin logaddexp logaddexp2 copysign xlogy heaviside dist isin".split():
            getattr(aten, name)(x, y)
        aten.logit(x.sigmoid(), 0.1)
        aten.hardshrink(x), aten.softshrink(x), aten.glu(x, 1), aten._prelu_kernel(x, y)
        aten.glu_backward(rand(3, 2, dtype=d), x, 1), aten._prelu_kernel_backward(x, x, y)
        aten.renorm(x, 2, 0, 1.5), aten.linalg_cross(rand(2, 3, dtype=d), rand(2, 3, dtype=d))
        aten.round(x, decimals=1), aten.addr(x, rand(3, dtype=d), y, beta=0.5)
        aten.addbmm(x, rand(2, 3, 2, dtype=d), rand(2, 2, 4, dtype=d), alpha=2)
        p, t = rand(3, 4, dtype=d).sigmoid(), rand(3, 4, dtype=d).sigmoid()
        aten.binary_cross_entropy(p, t, None, 0)
        aten.soft_margin_loss(x, t, 0)
        for k in range(3):
            aten.binary_cross_entropy_with_logits(x, t, None, y.abs(), k)
            aten.binary_cross_entropy_backward(rand(dtype=d), p, t, None, k)

    for dtype in (F32, F64):
        yield f"written out {NAMES[dtype]}", lambda d=dtype: special(d)


def windows():
    def pools(d):
        x = rand(2, 3, 7, 6, dtype=d)
        aten.avg_pool2d(x, [3, 2], [2, 1], [1, 0], True, False)
        aten.avg_pool2d(x, [3, 2], [2, 1], [1, 1], False, True)
        grad = aten.avg_pool2d(x, [2, 2], [], [1, 0], True, True, 3)
        aten.avg_pool2d_backward(grad, x, [2, 2], [], [1, 0], True, True, 3)
        y = aten._adaptive_avg_pool2d(x, [3, 4])
        aten._adaptive_avg_pool2d_backward(y, x)
        y, where = aten.max_pool2d_with_indices(x, [3, 2], [2, 2], [1, 1], [1, 2], True)
        aten.max_pool2d_with_indices_backward(y, x, [3, 2], [2, 2], [1, 1], [1, 2], True, where)
        y, where = aten.adaptive_max_pool2d(x, [3, 5])
        aten.adaptive_max_pool2d_backward(y, x, where)
        aten.reflection_pad2d(x, [2, 1, 3, 0]), aten.replication_pad1d(rand(2, 5, dtype=d), [3, 1])
        aten.reflection_pad2d_backward(rand(2, 3, 10, 9, dtype=d), x, [2, 1, 3, 0])
        aten.upsample_nearest2d(x, [5, 13]), aten._upsample_nearest_exact1d(x[0], [9])
        for align in (True, False):
            aten.upsample_bilinear2d(x, [5, 13], align), aten.upsample_bicubic2d(x, [9, 4], align)
            aten.upsample_bilinear2d_backward(rand(2, 3, 5, 13, dtype=d), [5, 13], [2, 3, 7, 6], align)
        aten.im2col(x, [2, 3], [1, 2], [1, 0], [2, 1])

    for dtype in (F32, F64):
        yield f"pools {NAMES[dtype]}", lambda d=dtype: pools(d)

    def convolutions():
        for x, w, args in (
            (rand(2, 4, 7), rand(6, 2, 3), ([2], [1], [1], False, [0], 2)),
            (rand(2, 3, 6, 5), rand(4, 3, 2, 3), ([1, 2], [1, 0], [2, 1], False, [0, 0], 1)),
            (rand(2, 4, 3, 4), rand(4, 3, 2, 3), ([2, 1], [1, 0], [1, 1], True, [1, 0], 2)),
            (rand(1, 2, 3, 4, 3), rand(2, 2, 2, 2, 2), ([1, 1, 1], [0, 1, 0], [1, 1, 1], False, [0, 0, 0], 1)),
        ):
            count = w.shape[1] * args[5] if args[3] else w.shape[0]
            y = aten.convolution(x, w, rand(count), *args)
            aten.convolution_backward(rand(*y.shape), x, w, [count], *args, [True, True, True])

    yield "convolutions", convolutions

    def norms(d):
        x, w, b, mean, var = rand(3, 4, 5, dtype=d), rand(4), rand(4), rand(4), rand(4, positive=True)
        for train in (True, False):
            _, m, s = aten.native_batch_norm(x, w, b, mean, var, train, 0.1, 1e-5)
            aten.native_batch_norm_backward(rand(3, 4, 5, dtype=d), x, w, mean, var, m, s, train, 1e-5, [True] * 3)
        _, m, s = aten.native_group_norm(x, w, b, 3, 4, 5, 2, 1e-5)
        aten.native_group_norm_backward(rand(3, 4, 5, dtype=d), x, m, s, w, 3, 4, 5, 2, [True] * 3)

    yield "norms of channels", lambda: norms(F32)

    def attention(d, heads):
        q, k, v = rand(2, 4, 5, 8, dtype=d), rand(2, heads, 7, 8, dtype=d), rand(2, heads, 7, 8, dtype=d)
        for mask, causal in ((None, False), (None, True), (rand(5, 7, dtype=d), False)):
            y, sums = aten._scaled_dot_product_flash_attention_for_cpu(q, k, v, 0.0, causal, attn_mask=mask)
            if heads == 4:
                aten._scaled_dot_product_flash_attention_for_cpu_backward(
                    y.flip(3), q, k, v, y, sums, 0.0, causal, attn_mask=mask)

    yield "attention", lambda: attention(F32, 4)
    yield "attention of heads in groups", lambda: attention(F32, 2)


def main():
    with open("aten_golden.txt", "w", encoding="utf-8") as file:
        for seed, (name, run) in enumerate(cases()):
            torch.manual_seed(seed)
            with Trace() as trace:
                run()
            file.write(f"# {name}\n{trace.text()}\n")


main()
