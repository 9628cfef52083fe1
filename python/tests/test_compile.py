"""gpuos.compile on the CPU: replays compute what PyTorch does, and what is unsafe runs eagerly."""

import collections
import copy
import itertools
import os
import random

import pytest
import torch

import gpuos


def explained(fn, *args):
    return gpuos.explain(fn, *args)


def is_recorded(fn, *args):
    return ": recorded" in gpuos.explain(fn, *args)


def chain(x, y):
    return torch.relu(x * y + x) + 1


def test_replays_a_chain_on_other_data():
    f = gpuos.compile(chain)
    f(torch.randn(3, 4), torch.randn(4))
    for _ in range(3):
        x, y = torch.randn(3, 4), torch.randn(4)
        torch.testing.assert_close(f(x, y), chain(x, y))
    text = explained(f, x, y)
    assert "native, 4 calls" in text and "PyTorch" not in text


def test_gives_fresh_results_unless_asked():
    x = torch.randn(3, 4)
    f = gpuos.compile(chain)
    f(x, x)
    one, other = f(x, x), f(x, x)
    assert one.data_ptr() != other.data_ptr()
    g = gpuos.compile(chain, static_outputs=True)
    g(x, x)
    assert g(x, x).data_ptr() == g(x, x).data_ptr()


def test_runs_other_operators_in_pytorch_between_segments():
    def fn(x):
        y = torch.special.i1(x + 1)
        return (y * 2).t(), y

    f = gpuos.compile(fn)
    f(torch.randn(2, 3))
    x = torch.randn(2, 3)
    for got, wanted in zip(f(x), fn(x)):
        torch.testing.assert_close(got, wanted)
        assert got.stride() == wanted.stride()
    text = explained(f, x)
    assert "3 segments" in text and "special_i1" in text


def test_writes_arguments_in_place():
    def fn(x, y):
        x.add_(y)
        x[1].mul_(2)
        return x

    f = gpuos.compile(fn)
    x, y = torch.randn(3, 2), torch.randn(3, 2)
    f(x, y)
    twin = x.clone()
    version = x._version
    assert f(x, y) is x
    torch.testing.assert_close(x, fn(twin, y))
    assert x._version > version
    assert is_recorded(f, x, y)


def test_guards_aliases():
    def fn(x, y):
        x.add_(1)
        return x * y

    f = gpuos.compile(fn)
    f(torch.ones(4), torch.ones(4))
    base = torch.ones(5)
    torch.testing.assert_close(f(base[:4], base[:4]), torch.full((4,), 4.0))
    torch.testing.assert_close(f(base[:4], base[1:]), torch.tensor([9.0, 9.0, 9.0, 3.0]))


def test_guards_scalars_by_value_and_sign():
    f = gpuos.compile(lambda x, s: x * s)
    x = torch.ones(2)
    for scalar in (2, 2.5, True, 0.0, -0.0, 2):
        got = f(x, scalar)
        wanted = x * scalar
        assert got.tolist() == wanted.tolist()
        assert torch.equal(torch.signbit(got), torch.signbit(wanted))


def test_guards_state_of_modules():
    class Scaled(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.w = torch.nn.Parameter(torch.ones(3))
            self.scale = 2.0

        def forward(self, x):
            return torch.relu(x * self.w) * self.scale

    model = Scaled()
    f = gpuos.compile(model)
    x = torch.ones(3)
    with torch.no_grad():
        assert f(x).tolist() == [2, 2, 2] and f(x).tolist() == [2, 2, 2]
        model.w.add_(1)
        assert f(x).tolist() == [4, 4, 4]
        model.scale = 3.0
        assert f(x).tolist() == [6, 6, 6]
        model.w.data = torch.full((3,), 5.0)
        assert f(x).tolist() == [15, 15, 15]
        model.w = torch.nn.Parameter(torch.full((3,), 7.0))
        assert f(x).tolist() == [21, 21, 21]
        assert is_recorded(f, x)


@pytest.mark.parametrize("zero", ["inside", "outside", "never"])
def test_trains_in_one_function(zero):
    def make():
        torch.manual_seed(1)
        model = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.ReLU(), torch.nn.Linear(8, 1))
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, foreach=False)

        def step(x, y):
            if zero == "inside":
                optimizer.zero_grad()
            loss = ((model(x) - y) ** 2).mean()
            loss.backward()
            optimizer.step()
            return loss.detach()

        return model, optimizer, step

    model, optimizer, step = make()
    twin, twin_optimizer, twin_step = make()
    f = gpuos.compile(step)
    for k in range(8):
        torch.manual_seed(k)
        x, y = torch.randn(5, 4), torch.randn(5, 1)
        if zero == "outside":
            optimizer.zero_grad()
            twin_optimizer.zero_grad()
        torch.testing.assert_close(f(x, y), twin_step(x, y))
        for one, other in zip(model.parameters(), twin.parameters()):
            torch.testing.assert_close(one, other)
            torch.testing.assert_close(one.grad, other.grad)
    if zero == "outside":
        optimizer.zero_grad()
    assert is_recorded(f, x, y)
    assert f._replays >= 4


def test_learning_rate_is_guarded():
    w = torch.nn.Parameter(torch.ones(2))
    optimizer = torch.optim.SGD([w], lr=1.0, foreach=False)

    def step():
        optimizer.zero_grad()
        (w * 2).sum().backward()
        optimizer.step()

    f = gpuos.compile(step)
    for _ in range(4):
        f()
    assert w.tolist() == [-7, -7]
    optimizer.param_groups[0]["lr"] = 0.5
    f()
    assert w.tolist() == [-8, -8]


def _count(x, box=[0]):
    box[0] += 1
    return x * box[0]


KEPT = []


def _keep(x):
    y = x * 2
    KEPT.append(y)
    return x + 1


@pytest.mark.parametrize(
    ("fn", "reason"),
    [
        (lambda x: x * x.sum().item(), "leave PyTorch"),
        (lambda x: x * 2 if x[0] > 0 else x, "leave PyTorch"),
        (lambda x: torch.from_numpy(x.numpy()) * 2, "leave PyTorch"),
        (lambda x: x[x > 0] * 2, "depends on values"),
        (lambda x: torch.nonzero(x), "depends on values"),
        (lambda x: torch.tensor_split(x * 2, torch.tensor([1, 3])), "read on the host"),
        (lambda x: torch.tensor_split(x * 2, tensor_indices_or_sections=torch.tensor([2])), "read on the host"),
        (_count, "Python objects"),
        (_keep, "Python objects"),
        (lambda x: torch.special.i1(x), "no call is native"),
    ],
)
def test_runs_eagerly_what_is_not_safe(fn, reason):
    f = gpuos.compile(fn)
    for _ in range(6):
        x = torch.randn(4)
        f(x)
    assert reason in explained(f, x)
    assert f._replays == 0


def test_random_operators_run_in_pytorch():
    def fn(x):
        return torch.nn.functional.dropout(x * 2, 0.5) + 1

    f = gpuos.compile(fn)
    x = torch.ones(100)
    f(x)
    torch.manual_seed(3)
    got = [f(x), f(x)]
    torch.manual_seed(3)
    wanted = [fn(x), fn(x)]
    for one, other in zip(got, wanted):
        assert torch.equal(one, other)
    assert is_recorded(f, x)


def test_verify_finds_what_python_did():
    f = gpuos.compile(lambda x: x * random.random(), verify=2)
    f(torch.ones(2))
    f(torch.ones(2))
    with pytest.raises(gpuos.GpuosError, match="differs from PyTorch"):
        f(torch.ones(2))


def test_verify_leaves_memory_as_eager_does():
    def fn(x):
        x.add_(1)
        return x * 2

    f = gpuos.compile(fn, verify=1)
    x = torch.zeros(2)
    for k in range(4):
        assert f(x).tolist() == [2 * (k + 1)] * 2
    assert x.tolist() == [4, 4]


def test_errors_of_java_are_raised():
    from gpuos import _bridge

    with pytest.raises(gpuos.InvalidInputException, match="line=1"):
        _bridge.support("nonsense")
    with pytest.raises(gpuos.GpuosError, match="closed"):
        _bridge._text_of("describe", 12345)


def test_forked_children_get_an_error():
    f = gpuos.compile(chain)
    x = torch.ones(2, 2)
    f(x, x)
    f(x, x)
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            f(x, x)
            os.write(write, b"no error")
        except gpuos.GpuosError as error:
            os.write(write, str(error).encode())
        os._exit(0)
    os.waitpid(child, 0)
    assert b"forked process" in os.read(read, 1000)


def test_refuses_tensors_that_cannot_be_guarded():
    class Hidden:
        __slots__ = ("w",)

    hidden = Hidden()
    hidden.w = torch.ones(3)
    f = gpuos.compile(lambda x: x * hidden.w)
    for _ in range(6):
        f(torch.ones(3))
    hidden.w = torch.full((3,), 4.0)
    assert f(torch.ones(3)).tolist() == [4, 4, 4]


def test_gradients_of_the_step_before_stay_as_they_were():
    w = torch.nn.Parameter(torch.ones(2))

    def step(x):
        w.grad = None
        (w * x).sum().backward()

    f = gpuos.compile(step)
    grads = []
    for k in range(5):
        f(torch.full((2,), float(k)))
        grads.append(w.grad)
    assert [grad.tolist() for grad in grads] == [[k, k] for k in range(5)]
    assert is_recorded(f, torch.ones(2))


def test_results_are_the_objects_that_eager_returns():
    x = torch.ones(3)

    def fn(a, b):
        c = a + b
        return {"a": a, "twice": [c, c], "none": None, "number": 3}

    f = gpuos.compile(fn)
    f(x, x)
    y = torch.zeros(3)
    f(y, x)
    got = f(y, x)
    assert got["a"] is y and got["twice"][0] is got["twice"][1]
    assert got["none"] is None and got["number"] == 3


def test_modes_of_pytorch_are_guarded():
    w = torch.ones(2, 2)
    f = gpuos.compile(lambda x: (x @ w) * 2)
    x = torch.ones(2, 2)
    assert f(x).dtype == f(x).dtype == torch.float32
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert f(x).dtype == torch.bfloat16
        assert f(x).dtype == torch.bfloat16
    with torch.inference_mode():
        assert f(x).tolist() == f(x).tolist() == [[4, 4], [4, 4]]
    assert f(x).dtype == torch.float32


def test_passes_errors_of_the_function_on():
    f = gpuos.compile(lambda x, y: x @ y)
    with pytest.raises(RuntimeError, match="shapes"):
        f(torch.ones(2, 3), torch.ones(2, 3))
    assert f(torch.ones(1, 1), torch.ones(1, 1)).tolist() == [[1]]


def test_guards_aliases_of_the_same_form():
    def fn(x, y):
        x.add_(1)
        return x * y

    f = gpuos.compile(fn)
    f(torch.ones(4), torch.ones(4))
    x = torch.ones(4)
    assert f(x, x.view(4)).tolist() == [4, 4, 4, 4]
    # The recording for separate memory may have reordered what is now a hazard.
    assert f._replays == 0
    whole = memoryview(bytearray(24)).cast("B")
    one = torch.frombuffer(whole, dtype=torch.float32, count=4)
    other = torch.frombuffer(whole, dtype=torch.float32, count=4)
    assert f(one, other).tolist() == [1, 1, 1, 1]
    assert f(one, other).tolist() == [4, 4, 4, 4]
    assert f._replays == 0


def test_refuses_tensors_that_are_kept_out_of_reach():
    def fn(x):
        globals()["kept_by_name"] = x * 2
        return x + 1

    f = gpuos.compile(fn)
    for k in range(6):
        f(torch.full((2,), float(k)))
        assert globals()["kept_by_name"].tolist() == [2 * k, 2 * k]
    assert "kept somewhere else" in explained(f, torch.ones(2))


def test_fractional_factors_of_integers_are_cut_off():
    def fn(x, a, b):
        return torch.addmv(x, a, b, beta=0.2, alpha=1.6) + 1

    f = gpuos.compile(fn)
    for _ in range(3):
        x, a, b = (torch.randint(0, 9, shape) for shape in ((3,), (3, 4), (4,)))
        assert torch.equal(f(x, a, b), fn(x, a, b))


class _Scaled(torch.nn.Module):
    factor = 2.0
    seen = [0]

    def forward(self, x):
        return self._times(x)

    def _times(self, x):
        return x * self.factor * FACTOR[0]


FACTOR = [1.0]


def test_notices_what_methods_and_classes_hold():
    compiled = gpuos.compile(_Scaled())
    x = torch.ones(3)
    try:
        for _ in range(3):
            torch.testing.assert_close(compiled(x), torch.full((3,), 2.0))
        assert "recorded" in compiled.explain(x)
        FACTOR[0] = 5.0
        torch.testing.assert_close(compiled(x), torch.full((3,), 10.0))
        _Scaled.factor = 3.0
        torch.testing.assert_close(compiled(x), torch.full((3,), 15.0))
    finally:
        FACTOR[0], _Scaled.factor = 1.0, 2.0


def test_does_what_methods_do_to_python():
    class Counting(torch.nn.Module):
        calls = 0

        def forward(self, x):
            type(self).calls += 1
            return x + 1

    compiled = gpuos.compile(Counting())
    for _ in range(6):
        compiled(torch.ones(2))
    assert Counting.calls == 6


class _Slotted:
    __slots__ = ("value",)


def test_notices_containers_of_all_kinds():
    queue, slotted, tagged = collections.deque([1.0]), _Slotted(), torch.ones(2)
    slotted.value, tagged.scale = 1.0, 1.0

    def by_default(x, factor=1.0):
        return x * factor

    def function(x):
        by_default.calls = getattr(by_default, "calls", 0) + 0
        return by_default(x) * queue[0] * slotted.value * tagged.scale

    compiled = gpuos.compile(function)
    x = torch.ones(2)
    wanted = 1.0
    changes = [
        lambda: queue.__setitem__(0, 2.0),
        lambda: setattr(slotted, "value", 3.0),
        lambda: setattr(tagged, "scale", 5.0),
        lambda: setattr(by_default, "__defaults__", (7.0,)),
    ]
    for change, factor in zip(changes, (2.0, 3.0, 5.0, 7.0)):
        for _ in range(3):
            torch.testing.assert_close(compiled(x), torch.full((2,), wanted))
        change()
        wanted *= factor
        torch.testing.assert_close(compiled(x), torch.full((2,), wanted))


def test_runs_what_moves_an_iterator_in_pytorch():
    numbers = itertools.count()
    compiled = gpuos.compile(lambda x: x + next(numbers))
    assert [float(compiled(torch.zeros(()))) for _ in range(6)] == [0, 1, 2, 3, 4, 5]


def test_forgets_signatures_and_says_so():
    compiled = gpuos.compile(lambda x, k: x + k)
    with pytest.warns(RuntimeWarning, match="signatures=more than 256"):
        for k in range(300):
            assert compiled(torch.ones(1), k).item() == 1 + k
    assert len(compiled._records) == 256
    assert compiled(torch.ones(1), 3).item() == 4


class _Adding(torch.overrides.TorchFunctionMode):
    def __init__(self, summand):
        super().__init__()
        self.summand = summand

    def __torch_function__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        return result + self.summand if getattr(func, "__name__", "") == "mul" else result


def test_runs_in_pytorch_under_modes_that_change_calls():
    compiled = gpuos.compile(lambda x: torch.mul(x, 2))
    for summand in (1, 1, 1, 5, 0):
        with _Adding(summand):
            assert compiled(torch.ones(1)).item() == 2 + summand
    assert compiled(torch.ones(1)).item() == 2


def test_copies_are_compiled_anew():
    module = torch.nn.Linear(2, 2)
    compiled = gpuos.compile(module)
    copied = copy.deepcopy(compiled)
    x = torch.ones(1, 2)
    with torch.no_grad():
        module.weight.zero_()
        for _ in range(4):
            assert not torch.equal(copied(x), compiled(x))


class _Same(int):
    def __repr__(self):
        return "same"


def test_tells_numbers_of_own_types_apart():
    compiled = gpuos.compile(lambda x, k: x + int(k))
    for _ in range(3):
        assert [compiled(torch.ones(1), _Same(k)).item() for k in (1, 2)] == [2, 3]
