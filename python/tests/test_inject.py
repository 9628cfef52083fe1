"""gpuos.inject: operators of one's own, natively, in autograd, recordings and torch.compile."""

import itertools
import pathlib
import threading

import pytest
import torch

import gpuos

names = (f"test_operator_{k}" for k in itertools.count())

SWISH = "x*sigmoid(beta*x)"
SWISH_GRADIENTS = {
    "x": "s = sigmoid(beta*x); grad*(s + beta*x*s*(1 - s))",
    "beta": "s = sigmoid(beta*x); grad*x*x*s*(1 - s)",
}


def swish(x, beta):
    return x * torch.sigmoid(beta * x)


def close(got, wanted, tolerance=1e-5):
    torch.testing.assert_close(got, wanted, rtol=tolerance, atol=tolerance)


def test_computes_broadcasts_and_converts():
    f = gpuos.inject(next(names), SWISH)
    assert f.inputs == ["x", "beta"]
    x, beta = torch.randn(3, 1), torch.randn(4)
    close(f(x, beta), swish(x, beta))
    close(f(beta=beta, x=x.double()), swish(x.double(), beta))
    close(f(x, 1.5), swish(x, 1.5))
    assert f(x.half(), 2).dtype == torch.float16
    assert f(x.half(), beta).dtype == torch.float32
    assert f(x.half(), torch.tensor(2.0)).dtype == torch.float16
    assert f(torch.arange(3), 0.5).dtype == torch.float32
    assert f(torch.arange(3), torch.arange(3)).dtype == torch.float32
    for shape in ((0, 3), (), (1,)):
        x = torch.randn(shape)
        close(f(x, 0.5), swish(x, 0.5))


def test_takes_any_strides_and_the_same_tensor_twice():
    f = gpuos.inject(next(names), "a*b + a")
    whole = torch.randn(7, 8)
    for x in (whole, whole.t(), whole[1:, ::2], whole[0].expand(3, 8), whole[2:3, 4]):
        close(f(x, x), x * x + x)
        close(f(x, x[0]), x * x[0] + x)


def test_reduces():
    f = gpuos.inject(next(names), "sum(x*x, axis=-1)")
    x = torch.randn(3, 5)
    close(f(x), (x * x).sum(-1))
    g = gpuos.compile(lambda x: f(x) + 1)
    for _ in range(3):
        close(g(x), (x * x).sum(-1) + 1)
    assert torch.compile(lambda x: f(x) + 1, backend="aot_eager")(x).shape == (3,)


def test_is_native_in_recordings():
    f = gpuos.inject(next(names), SWISH)
    g = gpuos.compile(lambda x, y: torch.relu(f(x, y)) + f(y, 2.0))
    for _ in range(4):
        x, y = torch.randn(3, 4), torch.randn(3, 4)
        close(g(x, y), torch.relu(swish(x, y)) + swish(y, 2.0))
    text = gpuos.explain(g, x, y)
    assert "recorded, 1 segments" in text and "native" in text, text


def test_is_native_in_scopes():
    f = gpuos.inject(next(names), SWISH)
    x, y = torch.randn(3), torch.randn(3)
    with gpuos.dispatch():
        f(x, y) * 2
    with gpuos.dispatch(warmup=0) as scope:
        z = f(x, y) * 2
    close(z, swish(x, y) * 2)
    assert "batched=2, programs=1" in scope.explain()


def test_is_replaced_everywhere():
    name = next(names)
    f = gpuos.inject(name, "x*10 + y*0")
    g = gpuos.compile(lambda x, y: f(x, y) + 1)
    h = torch.compile(lambda x, y: f(x, y) + 1, backend="gpuos")
    x, y = torch.ones(3), torch.zeros(3)

    def all_give(value):
        assert f(x, y).tolist() == [value - 1] * 3
        for fn in (g, h):
            for _ in range(3):
                assert fn(x, y).tolist() == [value] * 3
        with gpuos.dispatch(warmup=0):
            z = f(x, y) + 1
        assert z.tolist() == [value] * 3

    all_give(11)
    assert gpuos.inject(name, "y + 100*x") is f
    all_give(101)
    for wrong, message in (
        ("x*2", "inputs of a replacement"),
        ("x + y > 0", "result type of a replacement"),
        ("sum(x + y)", "form of a replacement"),
        ("x +", "column"),
    ):
        with pytest.raises(gpuos.GpuosError, match=message):
            gpuos.inject(name, wrong)
        all_give(101)
    assert g._replays > 4


def gradients(fn, *tensors):
    return torch.autograd.grad(fn(*tensors).square().sum(), tensors)


def test_is_differentiable_with_gradients():
    f = gpuos.inject(next(names), SWISH, backward=SWISH_GRADIENTS)
    for shapes in (((3, 4), (3, 4)), ((3, 4), (4,)), ((3, 1), (2, 1, 4)), ((3,), ())):
        x, beta = (torch.randn(shape, requires_grad=True) for shape in shapes)
        for got, wanted in zip(gradients(f, x, beta), gradients(swish, x, beta)):
            close(got, wanted, 1e-4)
    x = torch.randn(3, dtype=torch.float64, requires_grad=True)
    beta = torch.randn(3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(f, (x, beta), check_batched_grad=False)


def test_gradients_are_native_in_recordings_and_compiled_graphs():
    f = gpuos.inject(next(names), SWISH, backward=SWISH_GRADIENTS)
    fn = lambda x, beta: f(x, beta) * 2
    wanted_of = lambda x, beta: swish(x, beta) * 2
    for g in (gpuos.compile(fn), torch.compile(fn, backend="gpuos"), torch.compile(fn, backend="aot_eager")):
        for _ in range(4):
            x, beta = torch.randn(3, 4, requires_grad=True), torch.randn(4, requires_grad=True)
            for got, wanted in zip(gradients(g, x, beta), gradients(wanted_of, x, beta)):
                close(got, wanted, 1e-4)
    g = gpuos.compile(fn)
    text = gpuos.explain(g, x, beta)
    assert "PyTorch" not in text and "recorded, 2 segments" in text, text


def test_gradients_are_replaced_too():
    name = next(names)
    f = gpuos.inject(name, "x*y", backward={"x": "grad*y", "y": "grad*x"})
    g = gpuos.compile(lambda x, y: f(x, y) + 0)
    x, y = torch.full((2,), 3.0, requires_grad=True), torch.full((2,), 5.0, requires_grad=True)

    def give(one, other):
        for fn in (f, g, g, g):
            got = torch.autograd.grad(fn(x, y).sum(), (x, y))
            assert [t.tolist() for t in got] == [[one] * 2, [other] * 2]

    give(5, 3)
    gpuos.inject(name, "x*y*y", backward={"x": "grad*y*y", "y": "2*grad*x*y"})
    give(25, 30)
    with pytest.raises(gpuos.InvalidInputException, match="missing=.'x', 'y'"):
        gpuos.inject(name, "x + y")
    with pytest.raises(gpuos.GpuosError):
        gpuos.inject(name, "x + y", backward={"x": "grad", "y": "grad +"})
    with pytest.raises(gpuos.GpuosError):
        gpuos.inject(name, "x +", backward={"x": "grad", "y": "grad"})
    give(25, 30)


def test_says_what_has_no_gradient():
    f = gpuos.inject(next(names), "x*y", backward={"x": "grad*y"})
    x, y = torch.ones(2, requires_grad=True), torch.ones(2)
    assert torch.autograd.grad(f(x, y).sum(), x)[0].tolist() == [1, 1]
    with pytest.raises(gpuos.GpuosError, match="input=y.*inject it with backward="):
        f(x, y.requires_grad_()).sum().backward()
    with pytest.raises(gpuos.InvalidInputException, match="names=.'z'"):
        gpuos.inject(next(names), "x*y", backward={"z": "grad"})
    with pytest.raises(gpuos.InvalidInputException, match="none of them grad"):
        gpuos.inject(next(names), "x*grad", backward={"x": "grad"})


def test_works_with_sizes_that_change():
    f = gpuos.inject(next(names), SWISH)
    g = torch.compile(lambda x: f(x, 1.0) + 1, backend="aot_eager", dynamic=True, fullgraph=True)
    for size in (3, 5, 9):
        x = torch.randn(size)
        close(g(x), swish(x, 1.0) + 1)


def test_passes_the_checks_of_pytorch():
    f = gpuos.inject(next(names), SWISH, backward=SWISH_GRADIENTS)
    x, beta = torch.randn(3, 4, requires_grad=True), torch.randn(4, requires_grad=True)
    torch.library.opcheck(f._op, (x, beta))
    torch.library.opcheck(f._op, (x.detach().t(), torch.randn(3, dtype=torch.float64)))


def test_refuses_what_has_no_meaning():
    f = gpuos.inject(next(names), "x*y")
    with pytest.raises(TypeError, match="expected=.'x', 'y'"):
        f(torch.ones(2))
    with pytest.raises(TypeError, match="at least one tensor"):
        f(1, 2)
    with pytest.raises(gpuos.InvalidInputException, match="dtype=torch.complex64"):
        f(torch.ones(2, dtype=torch.complex64), 1.0)
    with pytest.raises(RuntimeError, match="broadcast|[Ss]hape"):
        f(torch.ones(2), torch.ones(3))
    for settings in ({}, {"expression": "x", "cuda_source": "", "signature": ""}, {"cuda_source": "x"}):
        with pytest.raises(ValueError, match="gpuos.inject"):
            gpuos.inject(next(names), **settings)
    for name in ("1x", "a b", "", "a::b"):
        with pytest.raises(ValueError, match="gpuos.inject: name="):
            gpuos.inject(name, "x")
    for wrong in ("1 + 2", "softmax(x) + 1", "x, y", "x @ y"):
        with pytest.raises(gpuos.GpuosError):
            gpuos.inject(next(names), wrong)


def test_is_replaced_while_threads_use_it():
    name = next(names)
    f = gpuos.inject(name, "x*1")
    x = torch.ones(64)
    stop, errors = threading.Event(), []

    def work():
        try:
            while not stop.is_set():
                values = set(f(x).tolist())
                assert len(values) == 1 and values <= {float(k) for k in range(1, 9)}
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for k in range(2, 9):
        gpuos.inject(name, f"x*{k}")
    stop.set()
    for thread in threads:
        thread.join()
    assert not errors
    assert f(x).tolist() == [8] * 64


CUDA = "__device__ float swish(float x, float beta) { return x / (1.0f + expf(-beta * x)); }"


def test_compiles_cuda_sources_without_a_gpu():
    name = next(names)
    f = gpuos.inject(name, cuda_source=CUDA, signature="f32 swish(f32 x, f32 beta)")
    assert f.inputs == ["x", "beta"]
    if not torch.cuda.is_available():
        with pytest.raises(gpuos.GpuosError, match="CUDA"):
            f(torch.ones(2), 1.0)
    with pytest.raises(gpuos.GpuosError, match=f"{name}.cu"):
        gpuos.inject(name, cuda_source=CUDA.replace("expf", "no_such"), signature="f32 swish(f32 x, f32 beta)")
    with pytest.raises(gpuos.GpuosError, match="signature"):
        gpuos.inject(name, cuda_source=CUDA, signature="swish(x)")
