"""gpuos.dispatch on the CPU: whatever looks at a result sees what eager PyTorch would have computed.

Memory of results is filled with nonsense while they wait, so that reading it too early shows.
"""

import copy
import gc
import io
import os
import pickle
import random
import threading

import numpy as np
import pytest
import torch

import gpuos
from gpuos import _native, intercept, pending


@pytest.fixture(autouse=True)
def nonsense(monkeypatch):
    allocate = pending._allocate

    def filled(*form):
        tensor = allocate(*form)
        tensor.untyped_storage().fill_(0x7F)
        return tensor

    monkeypatch.setattr(pending, "_allocate", filled)
    if _native.interception() is not None:
        monkeypatch.setattr(intercept, "POISON", True)


def scope(**settings):
    return gpuos.dispatch(**{"warmup": 0, "age": 1000.0, **settings})


def learnt(fn, *args):
    """Runs once, so that all forms are known and calls really wait."""
    with scope():
        fn(*args)


def counts(entered):
    line = entered.explain().splitlines()[0].split(": ", 1)[1]
    return {name: int(value) for name, value in (part.split("=") for part in line.split(", "))}


def test_runs_a_chain_as_one_program():
    def chain(x, y):
        return ((x * y + 1).relu() - y).sum(1)

    x, y = torch.randn(4, 5), torch.randn(5)
    learnt(chain, x, y)
    for _ in range(3):
        x, y = torch.randn(4, 5), torch.randn(5)
        with scope() as entered:
            got = chain(x, y)
        torch.testing.assert_close(got, chain(x, y))
        assert counts(entered) == {"calls": 5, "batched": 5, "programs": 1, "batches in PyTorch": 0}


def test_a_new_structure_runs_in_pytorch_first():
    x = torch.randn(3, 2)
    learnt(lambda: (x * 7).exp())
    for programs in (0, 0, 1, 1):
        with gpuos.dispatch(warmup=2) as entered:
            got = (x * 7).exp()
        torch.testing.assert_close(got, (x * 7).exp())
        assert counts(entered)["programs"] == programs
        assert counts(entered)["batches in PyTorch"] == 1 - programs


LOOKS = {
    "item": lambda t: t[0, 0].item(),
    "bool": lambda t: bool(t[0, 0] > 3),
    "float": lambda t: float(t[0, 0]),
    "format": lambda t: f"{t[0, 0]:.3f}",
    "print": str,
    "tolist": lambda t: t.tolist(),
    "numpy": lambda t: t.numpy().copy(),
    "asarray": lambda t: np.asarray(t).copy(),
    "ufunc": lambda t: np.add(t, 1).numpy() if isinstance(np.add(t, 1), torch.Tensor) else np.add(t, 1),
    "dlpack": lambda t: np.from_dlpack(t).copy(),
    "capsule": lambda t: torch.utils.dlpack.from_dlpack(torch.utils.dlpack.to_dlpack(t)).clone(),
    "cpu": lambda t: t.cpu().clone(),
    "double": lambda t: t.double(),
    "deepcopy": copy.deepcopy,
    "pickle": lambda t: pickle.loads(pickle.dumps(t)),
    "save": lambda t: _saved(t),
    "storage": lambda t: list(t.untyped_storage()),
    "typed storage": lambda t: list(t.storage()),
    "nonzero": lambda t: torch.nonzero(t > 2),
    "mask": lambda t: t[t > 2],
    "contains": lambda t: 5.0 in t,
    "equal": lambda t: torch.equal(t, t.clone()),
    "sort": lambda t: torch.sort(t)[0],
    "linalg": lambda t: torch.linalg.svdvals(t),
    "new tensor": lambda t: torch.tensor([t[0, 0], t[1, 1]]),
    "slice by tensor": lambda t: torch.arange(9)[: t[0, 0].long()],
    "split by tensor": lambda t: torch.tensor_split(torch.arange(9), t[0].long()),
    "data": lambda t: t.data.sum().item(),
    "script": lambda t: _scripted(t),
    "random": lambda t: torch.bernoulli(t / 100, generator=torch.Generator().manual_seed(1)),
    "iteration": lambda t: [float(row.sum()) for row in t],
    "data_ptr": lambda t: _at_address(t),
    "new_tensor": lambda t: t.new_tensor([t[0, 0], t[1, 1]]),
    "map_": lambda t: t.clone().map_(t, lambda a, b: a + b),
    "apply_": lambda t: t.clone().apply_(lambda v: v + 1),
    "as_tensor": lambda t: torch.as_tensor(t).tolist(),
}


def _saved(tensor):
    file = io.BytesIO()
    torch.save(tensor, file)
    file.seek(0)
    return torch.load(file)


def _at_address(tensor):
    import ctypes

    return ctypes.string_at(tensor.data_ptr(), 4 * tensor.numel())


@torch.jit.script
def _scripted(x):
    return (x * 2 + 1).sin()


@pytest.mark.parametrize("name", LOOKS)
def test_is_seen_by(name):
    def make():
        return torch.arange(6.0).reshape(2, 3) * 2 + 1

    look = LOOKS[name]
    learnt(lambda: look(make()))
    with scope():
        seen = look(make())
    wanted = look(make())
    if isinstance(wanted, (tuple, list)) and isinstance(wanted[0], torch.Tensor):
        assert [t.tolist() for t in seen] == [t.tolist() for t in wanted]
    elif isinstance(wanted, torch.Tensor):
        torch.testing.assert_close(seen, wanted)
    else:
        assert np.array_equal(seen, wanted)


def test_views_need_no_run():
    x = torch.arange(12.0).reshape(3, 4)

    def views(x):
        y = x * 2
        y[1:].mul_(3)
        z = y.t().unsqueeze(0).expand(2, 4, 3)
        y.view(-1)[::2].add_(1)
        return y, z + 1, [part.neg() for part in y.unbind()] + [part.neg() for part in y.split(2)]

    learnt(views, x)
    with scope() as entered:
        y, z, parts = views(x)
    for got, wanted in zip([y, z, *parts], [*views(x)[:2], *views(x)[2]]):
        torch.testing.assert_close(got, wanted)
        assert got.stride() == wanted.stride()
    assert counts(entered)["programs"] == 1


def test_writes_into_given_tensors():
    def fn(a, b, out):
        torch.add(a, b, out=out)
        torch.mul(out, out, out=out)
        torch.sub(out[1:], 1, out=out[1:])
        return out

    a, b = torch.randn(4), torch.randn(4)
    learnt(fn, a, b, torch.empty(4))
    with scope() as entered:
        out = torch.empty(4)
        assert fn(a, b, out) is out
    torch.testing.assert_close(out, fn(a, b, torch.empty(4)))
    assert counts(entered)["programs"] == 1
    with scope(), pytest.warns(UserWarning, match="resized"):
        out = torch.empty(2)
        torch.add(a * 2, b, out=out)
    torch.testing.assert_close(out, a * 2 + b)


def test_memory_of_numpy_is_written_at_once():
    array = np.ones(4, np.float32)
    x = torch.from_numpy(array)
    learnt(lambda: x.clone().add_(1))
    with scope():
        x.add_(1)
        assert array.tolist() == [2, 2, 2, 2]
        y = x * 2
        array[:] = 5
    assert y.tolist() == [4, 4, 4, 4]
    z = torch.ones(3)
    view = z.numpy()
    with scope():
        z.mul_(2)
        assert view.tolist() == [2, 2, 2]


def test_memory_that_was_handed_out_is_written_at_once():
    def add(x):
        return x.add_(1)

    learnt(add, torch.ones(3))
    with scope():
        for take in (lambda x: np.from_dlpack(x), lambda x: x.numpy()):
            x = torch.ones(3)
            add(x)
            seen = take(x)
            add(x)
            assert seen.tolist() == [3, 3, 3]
        storage = x.untyped_storage()
        add(x)
        assert np.frombuffer(bytes(storage), np.float32).tolist() == [4, 4, 4]


def test_other_storages_over_the_same_memory():
    whole = bytearray(32)
    one, other = (torch.frombuffer(whole, dtype=torch.float32, count=4, offset=k) for k in (0, 4))

    def fn(one, other):
        one.add_(1)
        other.mul_(2)
        return one + other

    learnt(fn, torch.ones(4), torch.ones(4))
    with scope():
        got = fn(one, other)
    whole[:] = bytes(32)
    torch.testing.assert_close(got, fn(one, other))


def test_autograd_records_and_runs_inside_and_outside():
    def run(inside):
        torch.manual_seed(3)
        model = torch.nn.Sequential(torch.nn.Linear(4, 6), torch.nn.Tanh(), torch.nn.Linear(6, 1))
        optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
        losses = []
        for _ in range(4):
            x = torch.randn(5, 4)
            with inside():
                loss = model(x).square().mean()
                optimizer.zero_grad()
                loss.backward()
                torch.nn.utils.clip_grad_norm_(model.parameters(), 0.5)
                optimizer.step()
            losses.append(loss.detach())
        with inside():
            loss = model(x).square().mean()
        loss.backward()
        return losses + [loss.detach()] + [p.detach() for p in model.parameters()] + [
            p.grad for p in model.parameters()
        ]

    import contextlib

    for got, wanted in zip(run(scope), run(contextlib.nullcontext)):
        torch.testing.assert_close(got, wanted)


def test_double_backward():
    x = torch.randn(3, requires_grad=True)
    with scope():
        (g,) = torch.autograd.grad((x**3).sum(), x, create_graph=True)
        (h,) = torch.autograd.grad(g.sum(), x)
    torch.testing.assert_close(h, 6 * x.detach())


def test_changes_before_backward_are_noticed():
    x = torch.randn(3, requires_grad=True)
    with scope():
        y = x.exp()
        z = y.sum()
        y.add_(1)
        with pytest.raises(RuntimeError, match="modified by an inplace operation"):
            z.backward()


def test_errors_are_raised_where_they_are_made():
    x = torch.ones(3)
    index = torch.tensor([0, 7])
    learnt(lambda: (x * 2, x.long() // 2))
    with scope():
        y = x * 2
        with pytest.raises(RuntimeError, match="size of tensor"):
            y + torch.ones(2)
        with pytest.raises(IndexError):
            y[index]
        with pytest.raises(RuntimeError, match="[Zz]ero"):
            x.long() // torch.zeros(3, dtype=torch.int64)
        with pytest.raises(RuntimeError, match="[01]"):
            torch.nn.functional.binary_cross_entropy(y, x)
        z = y + 1
    assert y.tolist() == [2, 2, 2] and z.tolist() == [3, 3, 3]


def test_is_complete_after_an_exception():
    x = torch.ones(3)
    learnt(lambda: x * 2)
    with pytest.raises(KeyError), scope():
        y = x * 2
        raise KeyError
    assert y.tolist() == [2, 2, 2]
    assert torch._C._len_torch_dispatch_stack() == 0 == torch._C._len_torch_function_stack()


def test_an_error_of_the_run_names_the_operations(monkeypatch):
    x = torch.ones(3, 1, 5)
    learnt(lambda: x * 2)

    def fail(*_):
        raise gpuos.DeviceException("device lost: device=cpu, expected=a live one")

    with pytest.raises(gpuos.DeviceException, match="device lost.*1 operations: aten.mul.Tensor"):
        with scope():
            y = x * 2
            monkeypatch.setattr("gpuos._bridge.Program.replay", fail)
    monkeypatch.undo()
    with scope():
        y = x * 3
    assert y.flatten().tolist() == [3] * 15


def test_what_cannot_be_compiled_runs_in_pytorch(monkeypatch):
    x = torch.ones(3, 1, 3)
    learnt(lambda: (x * 2).exp())

    def fail(*_):
        raise gpuos.GpuosError("no memory: bytes=1, expected=less")

    monkeypatch.setattr("gpuos._bridge.Program.__init__", fail)
    for _ in range(2):
        with scope() as entered:
            y = (x * 2).exp()
        torch.testing.assert_close(y, (x * 2).exp())
        assert counts(entered)["batches in PyTorch"] == 1


def test_runs_when_it_is_long_or_old():
    x = torch.ones(3)
    learnt(lambda: x + 1)
    with scope(size=10) as entered:
        results = [x + 1 for _ in range(25)]
        assert counts(entered)["programs"] == 2
    assert all(result.tolist() == [2, 2, 2] for result in results)
    with scope(age=0) as entered:
        results = [x + 1 for _ in range(3)]
        assert counts(entered)["programs"] == 2


def test_holds_memory_that_nobody_else_holds():
    x = torch.arange(1000.0)

    def fn(x):
        y = x * 2
        for _ in range(20):
            y = y + x
        return y

    learnt(fn, x)
    wanted = fn(x)
    with scope() as entered:
        y = fn(x.clone())
        gc.collect()
        others = [torch.full((1000,), 7.0) for _ in range(50)]
    torch.testing.assert_close(y, wanted)
    assert counts(entered)["programs"] == 1
    assert all(other.sum() == 7000 for other in others)


def test_memory_given_away_is_not_mixed_up():
    x, y = torch.ones(3), torch.full((3,), 5.0)
    learnt(lambda: x * 2)
    with scope():
        a = x * 2
        x.data = y
        b = x * 2
    assert a.tolist() == [2, 2, 2] and b.tolist() == [10, 10, 10]


def test_scopes_nest_and_repeat():
    x = torch.ones(3)
    learnt(lambda: x * 2)
    entered = scope()
    for _ in range(2):
        with entered:
            a = x * 2
            with scope():
                b = a * 2
            c = b * 2
            with entered:
                d = c * 2
            e = d * 2
        assert [t[0].item() for t in (a, b, c, d, e)] == [2, 4, 8, 16, 32]
    assert torch._C._len_torch_dispatch_stack() == 0


def test_each_thread_has_its_own_scope():
    errors = []

    def work(seed):
        try:
            torch.manual_seed(seed)
            for k in range(20):
                x = torch.full((4,), float(seed + k))
                with scope():
                    y = x * 2
                    for _ in range(5):
                        y = (y + x).relu()
                assert y.tolist() == [7.0 * (seed + k)] * 4
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(k,)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors


def test_flush_hands_results_to_another_thread():
    x = torch.ones(3)
    learnt(lambda: x * 2)
    seen = []
    with scope() as entered:
        y = x * 2
        entered.flush()
        thread = threading.Thread(target=lambda: seen.append(y.tolist()))
        thread.start()
        thread.join()
    assert seen == [[2, 2, 2]]


def test_forked_children_go_on_in_pytorch():
    x = torch.ones(3)
    learnt(lambda: x * 2)
    read, write = os.pipe()
    with scope():
        y = x * 2
        child = os.fork()
        if child == 0:
            z = y * 2
            os.write(write, repr((y.tolist(), z.tolist())).encode())
            os._exit(0)
        os.waitpid(child, 0)
    assert os.read(read, 1000) == b"([2.0, 2.0, 2.0], [4.0, 4.0, 4.0])"


def test_compiled_functions_run_inside():
    fn = lambda x: torch.relu(x * 2) + 1
    ours, theirs = gpuos.compile(fn), torch.compile(fn, backend="aot_eager")
    x = torch.randn(4)
    for f in (ours, theirs):
        f(x), f(x)
        with scope():
            y = f(x * 3)
        torch.testing.assert_close(y, fn(x * 3))


def test_inference_mode_and_autocast():
    w = torch.randn(3, 3)
    x = torch.randn(2, 3)

    def fn():
        return torch.nn.functional.linear(x, w).reshape(3, 2).t() * 2

    for mode in (torch.inference_mode, lambda: torch.autocast("cpu", dtype=torch.bfloat16)):
        with mode():
            wanted = fn()
            for _ in range(2):
                with scope():
                    got = fn()
                torch.testing.assert_close(got, wanted)


def test_refuses_settings_without_meaning():
    for settings in ({"size": 0}, {"age": -1}, {"warmup": -1}, {"size": 1.5}):
        with pytest.raises(ValueError, match="gpuos.dispatch"):
            gpuos.dispatch(**settings)


# ---- random sequences


class Sequence:
    """A random sequence of operations on a pool of tensors, the same for each seed."""

    def __init__(self, seed, steps):
        self.random = random.Random(seed)
        generator = torch.Generator().manual_seed(seed)
        shapes = [(4,), (3, 4), (1, 4), (3, 1), (), (4, 4), (2, 3, 4)]
        self.pool = [torch.randn(shape, generator=generator) for shape in shapes]
        self.pool += [torch.randint(0, 3, shape, generator=generator) for shape in shapes[:3]]
        self.pool += [torch.randn(5, 6, generator=generator).t()[1:4, ::2]]
        self.pool += [torch.randn(4, generator=generator).to(torch.float16)]
        self.seen = []
        for _ in range(steps):
            step = self.random.choice(self.STEPS)
            try:
                made = step(self)
            except (RuntimeError, IndexError, TypeError) as error:
                self.seen.append(type(error).__name__)
                continue
            if isinstance(made, torch.Tensor):
                if self.random.random() < 0.3:
                    self.pool[self.random.randrange(len(self.pool))] = made
                else:
                    self.pool.append(made)

    def pick(self):
        return self.random.choice(self.pool)

    def binary(self):
        ops = (torch.add, torch.mul, torch.sub, torch.maximum, torch.eq, torch.atan2, torch.add)
        return self.random.choice(ops)(self.pick(), self.pick())

    def scalar(self):
        value = self.random.choice([2, 0.5, -0.0, True, 3])
        return self.random.choice([lambda t: t * value, lambda t: value - t, lambda t: t + value])(self.pick())

    def unary(self):
        ops = (torch.relu, torch.tanh, torch.neg, torch.abs, torch.sigmoid, torch.floor, torch.clone)
        return self.random.choice(ops)(self.pick())

    def in_place(self):
        target, other = self.pick(), self.pick()
        name = self.random.choice(["add_", "mul_", "sub_", "copy_", "clamp_", "zero_", "fill_"])
        if name == "clamp_":
            target.clamp_(-2, 2)
        elif name == "zero_":
            target.zero_()
        elif name == "fill_":
            target.fill_(1.5)
        else:
            getattr(target, name)(other)

    def view(self):
        t = self.pick()
        kind = self.random.randrange(7)
        if kind == 0:
            return t.t()
        if kind == 1:
            return t[1:]
        if kind == 2:
            return t[..., ::2]
        if kind == 3:
            return t.unsqueeze(0)
        if kind == 4:
            return t.expand(2, *t.shape)
        if kind == 5:
            return t.reshape(-1)
        return t[0]

    def reduction(self):
        ops = (torch.sum, torch.mean, torch.amax, torch.sum, torch.softmax)
        op = self.random.choice(ops)
        return op(self.pick(), self.random.choice([0, -1]))

    def product(self):
        return torch.matmul(self.pick(), self.pick())

    def index(self):
        t = self.pick()
        return t[torch.tensor([0, self.random.randrange(4)])]

    def index_write(self):
        self.pick()[torch.tensor([0, 1])] = self.random.choice([2.0, self.pick()])

    def mask(self):
        t = self.pick()
        return torch.where(t > 0, t, self.pick())

    def masked(self):
        t = self.pick()
        t[t > 1] = 0

    def out(self):
        index = self.random.randrange(len(self.pool))
        target = self.pool[index]
        try:
            self.random.choice([torch.add, torch.mul])(self.pick(), self.pick(), out=target)
        except RuntimeError:
            # PyTorch may leave it with sizes that its memory does not have.
            self.pool[index] = torch.ones(3)
            raise

    def other(self):
        op = self.random.choice([torch.sort, torch.flip, torch.cumsum, torch.roll])
        t = self.pick()
        if op is torch.sort:
            return op(t, -1, stable=True)[0]
        return op(t, (0,)) if op is torch.flip else op(t, 1, 0)

    def look(self):
        t = self.pick()
        kind = self.random.randrange(4)
        if kind == 0:
            self.seen.append(t.tolist())
        elif kind == 1:
            self.seen.append(t.float().sum().item())
        elif kind == 2:
            self.seen.append(t.numpy().copy().tolist())
        else:
            self.seen.append([t.shape, t.stride(), t.dtype, t._version])

    def cat(self):
        return torch.cat([self.pick().reshape(-1), self.pick().reshape(-1)])

    def cast(self):
        return self.pick().to(self.random.choice([torch.float32, torch.int64, torch.float16, torch.bool]))

    def drop(self):
        if len(self.pool) > 6:
            del self.pool[self.random.randrange(len(self.pool))]

    STEPS = [
        binary, binary, binary, scalar, unary, unary, in_place, in_place, in_place, view, view, view,
        reduction, product, index, index_write, mask, masked, out, other, look, cat, cast, drop, drop,
    ]  # fmt: skip


def close(got, wanted):
    if isinstance(wanted, torch.Tensor):
        half = wanted.dtype == torch.float16
        tolerance = 1e-2 if half else 1e-4
        torch.testing.assert_close(got, wanted, rtol=tolerance, atol=tolerance, equal_nan=True)
        assert got.stride() == wanted.stride()
    elif isinstance(wanted, float):
        assert got == pytest.approx(wanted, rel=1e-2, abs=1e-2, nan_ok=True)
    elif isinstance(wanted, list):
        assert len(got) == len(wanted)
        for one, other in zip(got, wanted):
            close(one, other)
    else:
        assert got == wanted


SEEDS = int(os.environ.get("GPUOS_TEST_SEEDS", "30"))


@pytest.mark.parametrize("seed", range(SEEDS))
def test_random_sequences_equal_eager(seed):
    wanted = Sequence(seed, 60)
    warmup = seed % 2
    with scope(warmup=warmup, size=20 + seed):
        Sequence(seed, 60)
    with scope(warmup=warmup, size=20 + seed):
        got = Sequence(seed, 60)
    close(got.seen, wanted.seen)
    assert len(got.pool) == len(wanted.pool)
    close(got.pool, wanted.pool)


def test_the_default_type_is_part_of_a_call():
    x = torch.arange(6, dtype=torch.int32)
    for dtype in (torch.float32, torch.float64, torch.float32):
        torch.set_default_dtype(dtype)
        try:
            for _ in range(3):
                with scope():
                    y = x.sigmoid() + 1
                assert y.dtype == dtype
                torch.testing.assert_close(y, x.sigmoid() + 1)
        finally:
            torch.set_default_dtype(torch.float32)
