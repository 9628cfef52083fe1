"""Scopes in the extension: what only the way by the dispatcher can do, or get wrong.

The tests of test_dispatch.py run on it too.
"""

import gc
import threading
import weakref

import pytest
import torch

import gpuos
from gpuos import _bridge, _native, intercept
from gpuos.pending import PROGRAMS

pytestmark = pytest.mark.skipif(_native.interception() is None, reason="no extension")


@pytest.fixture(autouse=True)
def nonsense(monkeypatch):
    monkeypatch.setattr(intercept, "POISON", True)


def scope(**settings):
    return gpuos.dispatch(**{"warmup": 0, "age": 1000.0, **settings})


def counts(entered):
    line = entered.explain().splitlines()[0].split(": ", 1)[1]
    return {name: int(value) for name, value in (part.split("=") for part in line.split(", "))}


def again(fn, *args):
    """Runs a function in scopes until all is known, and once more: its result and the counts."""
    for _ in range(2):
        with scope():
            fn(*args)
    with scope() as entered:
        result = fn(*args)
    return result, counts(entered)


def test_known_calls_do_not_reach_python(monkeypatch):
    def chain(x, y):
        return (torch.relu(x * y + x) - 1).sigmoid()

    x, y = torch.randn(5, 7), torch.randn(7)
    again(chain, x, y)
    monkeypatch.setattr(intercept._Learning, "__torch_dispatch__", None)
    monkeypatch.setattr(intercept._Core, "_run", None)
    with scope() as entered:
        got = chain(x, y)
    torch.testing.assert_close(got, chain(x, y))
    assert counts(entered) == {"calls": 5, "batched": 5, "programs": 1, "batches in PyTorch": 0}


def test_outside_of_scopes_nothing_is_seen():
    x = torch.randn(9)
    with scope() as entered:
        x * 2
    before = counts(entered)
    x * 2
    seen = []
    thread = threading.Thread(target=lambda: seen.append((x * 3).sum().item()))
    with scope() as entered:
        thread.start()
        thread.join()
        assert counts(entered)["calls"] == 0
    assert seen == [(x * 3).sum().item()] and before["calls"] == 1


@pytest.mark.parametrize("number", [2, 2.5, True, -0.0, float("nan"), 1 << 40])
def test_numbers_are_part_of_a_call(number):
    x = torch.ones(3)
    for value in (number, 1, 1.0):
        got, told = again(lambda value=value: x * value + value)
        wanted = x * value + value
        torch.testing.assert_close(got, wanted, equal_nan=True)
        assert torch.equal(torch.signbit(got), torch.signbit(wanted))
        assert told["batched"] == 2


def test_overlap_is_part_of_a_call_that_writes():
    def fn(same):
        x = torch.arange(8.0)
        x[:4].add_(x[:4] if same == "same" else x[4:] if same == "apart" else x[2:6].clone())
        return x

    for same in ("apart", "same", "copy", "apart"):
        got, _ = again(fn, same)
        torch.testing.assert_close(got, fn(same))


def test_lists_and_results_that_are_several():
    x = torch.randn(4, 6)

    def fn():
        parts = torch.cat([x, x * 2]).split(2)
        stacked = torch.stack([part + 1 for part in parts])
        values, where = stacked.max(0)
        return values * 2, where, torch.var_mean(x * 3)

    got, _ = again(fn)
    for one, other in zip(torch.utils._pytree.tree_leaves(got), torch.utils._pytree.tree_leaves(fn())):
        torch.testing.assert_close(one, other)


def test_modes_of_others_see_calls():
    class Counts(torch.utils._python_dispatch.TorchDispatchMode):
        def __init__(self):
            super().__init__()
            self.names = []

        def __torch_dispatch__(self, func, types, args=(), kwargs=None):
            self.names.append(str(func))
            return func(*args, **(kwargs or {}))

    x = torch.ones(3)
    for order in ("inside", "outside"):
        for _ in range(3):
            with Counts() as mode, scope() as entered:
                y = x * 2 + 1 if order == "outside" else None
            if order == "inside":
                with scope() as entered, Counts() as mode:
                    y = x * 2 + 1
            assert mode.names == ["aten.mul.Tensor", "aten.add.Tensor"], order
            assert y.tolist() == [3, 3, 3]
    assert counts(entered)["batched"] == 2


def test_transforms_and_tracing():
    x = torch.randn(3, 4)
    fn = lambda x: (x * 2).relu().sum(-1)
    for _ in range(3):
        with scope():
            mapped = torch.func.vmap(fn)(x)
            gradient = torch.func.grad(lambda x: fn(x).sum())(x)
            symbolic = torch.fx.experimental.proxy_tensor.make_fx(fn)(x)
            meta = fn(x.to("meta"))
        torch.testing.assert_close(mapped, fn(x))
        torch.testing.assert_close(gradient, 2.0 * (x > 0))
        torch.testing.assert_close(symbolic(x), fn(x))
        assert meta.shape == (3,)


def test_gradients_of_results_and_in_scopes():
    w = torch.randn(4, requires_grad=True)
    x = torch.randn(4)
    for _ in range(3):
        w.grad = None
        with scope():
            loss = ((w * x).tanh() ** 2).sum()
            loss.backward()
        wanted = torch.autograd.grad(((w * x).tanh() ** 2).sum(), w)[0]
        torch.testing.assert_close(w.grad, wanted)


def test_an_error_of_a_call_leaves_the_scope_whole():
    x = torch.ones(3)
    with scope():
        y = x * 2
        with pytest.raises(RuntimeError, match="size"):
            x + torch.ones(4)
        z = y + 1
    assert z.tolist() == [3, 3, 3]


def test_an_error_of_a_program_is_raised_as_it_is():
    x = torch.ones(3, 1, 1, 2)
    again(lambda: x * 2)
    batch = next(reversed(PROGRAMS._programs.values()))
    handle, batch.program._handle = batch.program._handle, None
    _bridge._call("release", handle)
    with pytest.raises(gpuos.GpuosError, match="closed"):
        with scope():
            y = x * 2
    with scope():
        y = x * 5
    assert y.flatten().tolist() == [5] * 6


def test_scopes_and_memory_are_let_go():
    x = torch.randn(100)
    again(lambda: x * 2)

    def work():
        with scope():
            x * 2
        gone.append(weakref.ref(next(iter(intercept._cores().values()))))

    gone = []
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    gc.collect()
    assert gone[0]() is None
    with scope():
        kept = weakref.ref((x * 2).untyped_storage())
    gc.collect()
    assert kept() is None


def test_many_threads_have_scopes():
    wrong = []

    def work(seed):
        generator = torch.Generator().manual_seed(seed)
        for _ in range(50):
            x = torch.randn(16, generator=generator)
            with scope(size=7):
                y = x
                for _ in range(10):
                    y = (y * x + 1).relu()
            wanted = x
            for _ in range(10):
                wanted = (wanted * x + 1).relu()
            if not torch.allclose(y, wanted):
                wrong.append(seed)

    threads = [threading.Thread(target=work, args=(k,)) for k in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
