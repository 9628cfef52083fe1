"""The extension: it replays what Python would, and notices all that Python notices."""

import gc
import sys
import threading
import weakref

import pytest
import torch

import gpuos
from gpuos import _native

needs_extension = pytest.mark.skipif(_native.module() is None, reason="no extension")


def chain(x, y):
    return torch.relu(x * y + x) + 1


def compiled(fn, *args, **kwargs):
    """A compiled function that has recorded this call, and replays it in the extension."""
    f = gpuos.compile(fn)
    f(*args, **kwargs)
    f(*args, **kwargs)
    assert f._replayed == 1
    return f


def replays_in_extension(f, *args, **kwargs):
    before = f._replayed
    f(*args, **kwargs)
    return f._replayed == before + 1


@needs_extension
def test_replays_without_python():
    x, y = torch.randn(3, 4), torch.randn(4)
    f = compiled(chain, x, y)
    for _ in range(3):
        x, y = torch.randn(3, 4), torch.randn(4)
        assert replays_in_extension(f, x, y)
        torch.testing.assert_close(f(x, y), chain(x, y))
    assert f._counted == 0


def placed(x, *, room=16, offset=0, strides=None):
    """A tensor like x in memory for 16 numbers, of which all that is not asked for is the same."""
    return torch.zeros(room).as_strided(x.shape, strides or x.stride(), offset).copy_(x)


def unaligned(x):
    whole = torch.zeros(40)
    start = next(k for k in range(9) if whole[k:].data_ptr() % 16 == 4)
    memory = torch.frombuffer(whole.numpy()[start : start + 16], dtype=torch.float32)
    return memory.as_strided(x.shape, x.stride()).copy_(x)


CHANGES = {
    "shape": lambda x: placed(x)[:2],
    "rank": lambda x: placed(x)[None],
    "dtype": lambda x: x.double(),
    "kind of number": lambda x: placed(x).view(torch.int32),
    "strides": lambda x: placed(x, strides=(1, 3)),
    "offset": lambda x: placed(x, offset=4),
    "alignment": unaligned,
    "storage": lambda x: placed(x, room=20),
    "negation": lambda x: torch._neg_view(placed(x)),
    "gradients": lambda x: placed(x).requires_grad_(),
    "parameter": lambda x: torch.nn.Parameter(placed(x), requires_grad=False),
    "zero": lambda x: torch._efficientzerotensor(x.shape),
    "conjugation": lambda x: torch.complex(x, x).conj(),
    "number": lambda x: 3.0,
    "nothing": lambda x: None,
}


@needs_extension
@pytest.mark.parametrize("change", CHANGES)
def test_notices_another_form_of_an_argument(change):
    x = torch.randn(3, 4)
    f = compiled(lambda a, b: a if b is None else a * b, placed(x), placed(x))
    assert replays_in_extension(f, placed(x), placed(x))
    x, other = placed(x), CHANGES[change](x)
    x = x[:2] if change == "shape" else x
    count = f._replayed
    got = f(x, other)
    assert f._replayed == count
    torch.testing.assert_close(got, x if other is None else x * other)


class Passes(torch.overrides.TorchFunctionMode):
    def __torch_function__(self, func, types, args=(), kwargs=None):
        return func(*args, **(kwargs or {}))


@needs_extension
def test_notices_other_modes():
    x, w = torch.randn(2, 2), torch.randn(2, 2)
    f = compiled(lambda a: a * w, x)
    modes = {
        "no_grad": torch.no_grad,
        "inference": torch.inference_mode,
        "autocast": lambda: torch.autocast("cpu", dtype=torch.bfloat16),
        "function": Passes,
    }
    for name, mode in modes.items():
        with mode():
            assert not replays_in_extension(f, x), name
    assert replays_in_extension(f, x)
    old = torch.get_autocast_dtype("cpu")
    torch.set_autocast_dtype("cpu", torch.float16)
    try:
        assert not replays_in_extension(f, x)
    finally:
        torch.set_autocast_dtype("cpu", old)
    torch.set_default_dtype(torch.float64)
    try:
        assert not replays_in_extension(f, x)
    finally:
        torch.set_default_dtype(torch.float32)
    torch.use_deterministic_algorithms(True)
    try:
        assert not replays_in_extension(f, x)
    finally:
        torch.use_deterministic_algorithms(False)
    assert replays_in_extension(f, x)


class Counts(torch.utils._python_dispatch.TorchDispatchMode):
    def __init__(self):
        super().__init__()
        self.count = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.count += 1
        return func(*args, **(kwargs or {}))


@needs_extension
def test_hides_nothing_from_those_who_watch():
    x = torch.randn(2, 3)
    f = compiled(lambda a: a * 2 + 1, x)
    with Counts() as counts:
        f(x)
    assert counts.count == 2
    assert torch.func.vmap(f)(x).tolist() == (x * 2 + 1).tolist()
    assert torch.func.jvp(f, (x,), (x,))[1].tolist() == (x * 2).tolist()
    traced = torch.jit.trace(f, (x,), check_trace=False)
    assert traced(x + 1).tolist() == ((x + 1) * 2 + 1).tolist()
    assert f._replayed == 1


class Scaled(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.randn(3))
        self.bias = torch.nn.Parameter(torch.randn(3))

    def forward(self, x):
        return x * self.weight + self.bias


@needs_extension
def test_notices_other_state():
    class Model(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = Scaled()
            self.register_buffer("shift", torch.ones(3))
            self.names = {"a"}
            self.parts = [1.0, torch.ones(3)]
            self.table = {"k": 2.0}

        def forward(self, x):
            y = self.inner(x) * self.table["k"] + self.parts[1] * self.parts[0]
            y = y if "b" in self.names else y + self.shift
            return y * 2 if self.training else y

    model = Model()
    x = torch.randn(2, 3)

    def change(act):
        before = f._replayed
        act()
        torch.testing.assert_close(f(x), model(x))
        assert f._replayed == before
        torch.testing.assert_close(f(x), model(x))

    with torch.no_grad():
        f = compiled(model, x)
        change(lambda: model.eval())
        change(lambda: model.table.update(k=3.0))
        change(lambda: model.parts.__setitem__(0, 5.0))
        change(lambda: model.parts.__setitem__(1, torch.full((3,), 7.0)))
        change(lambda: model.names.add("b"))
        change(lambda: setattr(model, "shift", torch.zeros(3)))
    with torch.no_grad():
        f = compiled(model, x)
        change(lambda: setattr(model.inner.weight, "data", torch.randn(3)))
        change(lambda: setattr(model.inner, "bias", torch.nn.Parameter(torch.randn(3))))
        change(lambda: model.inner.weight.requires_grad_(False))
        change(lambda: model.inner.register_forward_hook(lambda m, i, o: o + 1))
        model.inner.bias.add_(1)
        assert replays_in_extension(f, x)
        torch.testing.assert_close(f(x), model(x))


SCALE = 2.0


@needs_extension
def test_notices_other_globals_and_cells():
    global SCALE
    x = torch.ones(2)
    shift = 1.0
    f = compiled(lambda a: a * SCALE + shift, x)
    SCALE, before = 3.0, f._replayed
    assert f(x).tolist() == [4, 4]
    shift = 2.0
    assert f(x).tolist() == [5, 5]
    assert f._replayed == before
    SCALE, shift = 2.0, 1.0
    assert replays_in_extension(f, x) and f(x).tolist() == [3, 3]


@needs_extension
def test_notices_other_aliases_in_large_numbers():
    def fn(*tensors):
        total = tensors[0]
        for tensor in tensors[1:]:
            total = total + tensor
        tensors[0].add_(1)
        return total

    tensors = [torch.ones(4) for _ in range(40)]
    f = compiled(fn, *tensors)
    for one, other in ((0, 39), (17, 18)):
        again = [torch.ones(4) for _ in range(40)]
        again[other] = again[one].view(4)
        before = f._replayed
        assert f(*again).tolist() == [40] * 4
        assert f._replayed == before
        again[other] = again[one]
        f(*again)
        assert f._replayed == before


@needs_extension
def test_takes_and_gives_structures():
    def fn(pair, table, *, scale, flag=None):
        one, (two,) = pair
        result = one * scale + table["t"]
        return {"sum": result, "all": [result, (two + one, flag)], "in": two}

    one, two = torch.randn(3), torch.randn(3)
    f = compiled(fn, [one, (two,)], {"t": two}, scale=2.0)
    for _ in range(2):
        one, two = torch.randn(3), torch.randn(3)
        before = f._replayed
        got = f([one, (two,)], {"t": two}, scale=2.0)
        assert f._replayed == before + 1
        wanted = fn([one, (two,)], {"t": two}, scale=2.0)
        torch.testing.assert_close(got["sum"], wanted["sum"])
        torch.testing.assert_close(got["all"][1][0], wanted["all"][1][0])
        assert got["all"][0] is got["sum"] and got["all"][1][1] is None and got["in"] is two
        assert list(got) == ["sum", "all", "in"] and type(got["all"]) is list
    for args, kwargs in (
        (([one, [two]], {"t": two}), {"scale": 2.0}),
        (((one, (two,)), {"t": two}), {"scale": 2.0}),
        (([one, (two,)], {"t": two, "u": 1}), {"scale": 2.0}),
        (([one, (two,)], {"t": two}), {"scale": 2.0, "flag": True}),
        (([one, (two,)], {"t": two}), {"scale": 3.0}),
    ):
        before = f._replayed
        torch.testing.assert_close(f(*args, **kwargs)["sum"], fn(*args, **kwargs)["sum"])
        assert f._replayed == before


@needs_extension
def test_static_results_that_come_back_are_not_overwritten():
    fn = lambda x: x + x.t()
    f = gpuos.compile(fn, static_outputs=True)
    x = torch.randn(4, 4)
    for _ in range(3):
        y = f(x)
    wanted = fn(y.clone())
    torch.testing.assert_close(f(y), wanted)


@needs_extension
def test_many_signatures_share_a_function():
    f = gpuos.compile(lambda a: a * 2)
    for _ in range(2):
        for n in range(1, 100):
            assert f(torch.ones(n)).shape == (n,)
    assert f._plans == 64 and f._replays == 99


@needs_extension
def test_threads_replay_at_once():
    w = torch.randn(32)
    f = compiled(lambda x: torch.relu(x * w) + x, torch.randn(8, 32))
    wrong = []

    def work(seed):
        generator = torch.Generator().manual_seed(seed)
        for _ in range(200):
            x = torch.randn(8, 32, generator=generator)
            if not torch.allclose(f(x), torch.relu(x * w) + x):
                wrong.append(seed)

    threads = [threading.Thread(target=work, args=(k,)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong and f._replayed > 800


@needs_extension
def test_results_and_plans_are_let_go():
    x = torch.randn(4)

    class Owner:
        pass

    owner = Owner()
    owner.scale = torch.ones(4)

    def fn(a):
        return a * owner.scale

    f = owner.f = gpuos.compile(fn)
    f(x)
    count = sys.getrefcount(x)
    for _ in range(100):
        last = weakref.ref(f(x))
    assert f._replayed == 100 and last() is None and sys.getrefcount(x) == count
    gone = weakref.ref(owner)
    del f, fn, owner
    gc.collect()
    assert gone() is None


@needs_extension
def test_is_a_method_and_an_object():
    class Model:
        def __init__(self, scale):
            self.scale = scale

        @gpuos.compile
        def run(self, x):
            return x * self.scale

    one, other = Model(2.0), Model(3.0)
    x = torch.ones(2)
    for _ in range(3):
        assert one.run(x).tolist() == [2, 2] and other.run(x).tolist() == [3, 3]
    assert Model.run._replayed == 4
    assert Model.run and callable(Model.run) and Model.run.__name__ == "run"
    with pytest.raises(TypeError, match="argument"):
        one.run()


@needs_extension
def test_notices_that_one_argument_became_two():
    x, y = torch.ones(4), torch.full((4,), 5.0)
    f = compiled(lambda a, b: a * 2 + b, x, x)
    for other in (y, x.view(4)):
        before = f._replayed
        assert f(x, other).tolist() == (x * 2 + other).tolist()
        assert f._replayed == before
    g = compiled(lambda a, b: a * 2 + b, x, y)
    for other in (x, x.view(4)):
        before = g._replayed
        assert g(x, other).tolist() == [3, 3, 3, 3]
        assert g._replayed == before
