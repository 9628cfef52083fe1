"""Gradients through gpuos.compile of a function that has only the forward pass."""

import copy
import weakref

import pytest
import torch

import gpuos


def close(got, wanted):
    torch.testing.assert_close(got, wanted, rtol=1e-4, atol=1e-5)


def is_recorded(fn, *args):
    return ": recorded" in gpuos.explain(fn, *args)


def gradients(fn, tensors, *args):
    for tensor in tensors:
        tensor.grad = None
    out = fn(*args)
    out.square().sum().backward()
    return [out.detach()] + [tensor.grad for tensor in tensors]


def test_gradients_of_arguments_and_of_what_is_held():
    w = torch.randn(4, 4, requires_grad=True)

    def fn(x, y):
        return torch.tanh(x @ w + y) * x

    f = gpuos.compile(fn)
    for _ in range(5):
        x, y = torch.randn(3, 4, requires_grad=True), torch.randn(4, requires_grad=True)
        for got, wanted in zip(gradients(f, (x, y, w), x, y), gradients(fn, (x, y, w), x, y)):
            close(got, wanted)
    assert is_recorded(f, x, y)
    assert f._replays >= 2


@pytest.mark.parametrize(
    "make",
    [
        lambda: torch.nn.Sequential(torch.nn.Linear(6, 8), torch.nn.GELU(), torch.nn.LayerNorm(8)),
        lambda: torch.nn.Sequential(torch.nn.BatchNorm1d(6), torch.nn.Softmax(-1)),
        lambda: torch.nn.Sequential(torch.nn.Linear(6, 6), torch.nn.Flatten(0), torch.nn.Unflatten(0, (2, -1))),
    ],
)
def test_modules_train(make):
    torch.manual_seed(2)
    ours = make()
    theirs = copy.deepcopy(ours)
    f = gpuos.compile(ours)
    optimizers = [torch.optim.SGD(m.parameters(), lr=0.1) for m in (ours, theirs)]
    for _ in range(6):
        x = torch.randn(4, 6)
        for optimizer, model in zip(optimizers, (f, theirs)):
            optimizer.zero_grad()
            model(x).square().mean().backward()
            optimizer.step()
        for p, q in zip(ours.parameters(), theirs.parameters()):
            close(p.grad, q.grad)
            close(p.detach(), q.detach())
        for b, c in zip(ours.buffers(), theirs.buffers()):
            close(b, c)
    assert f._replays >= 2


def test_a_cell_over_time_shares_its_weights():
    torch.manual_seed(4)
    cell = torch.nn.Linear(8, 4)

    def step(x, h):
        return torch.tanh(cell(torch.cat([x, h], 1)))

    f = gpuos.compile(step)

    def loss(step, xs):
        h = torch.zeros(2, 4)
        for x in xs:
            h = step(x, h)
        return h.sum()

    for _ in range(3):
        xs = torch.randn(6, 2, 4)
        results = []
        for fn in (f, step):
            cell.zero_grad()
            loss(fn, xs).backward()
            results.append([p.grad.clone() for p in cell.parameters()])
        for got, wanted in zip(*results):
            close(got, wanted)
    assert f._replays >= 6


def test_several_results_some_without_gradients():
    def fn(x):
        y = torch.exp(x)
        return {"y": y, "mask": y > 1, "x": x, "sum": y.sum(), "again": y, "n": 3}

    f = gpuos.compile(fn)
    for _ in range(4):
        x = torch.randn(5, requires_grad=True)
        got, wanted = f(x), fn(x)
        assert got["x"] is x and got["again"] is got["y"] and got["n"] == 3
        assert not got["mask"].requires_grad and torch.equal(got["mask"], wanted["mask"])
        one = torch.autograd.grad(got["y"].sum() * 2 + got["sum"], x)[0]
        other = torch.autograd.grad(wanted["y"].sum() * 2 + wanted["sum"], x)[0]
        close(one, other)
    assert f._replays >= 1


def test_gradients_may_have_any_strides():
    def fn(x):
        return (x * 2).t() * x.sum()

    f = gpuos.compile(fn)
    for shape in ("dense", "expanded", "transposed", "sliced"):
        x = torch.randn(2, 3, requires_grad=True)
        for _ in range(3):
            out = f(x)
            grad = {
                "dense": torch.randn(3, 2),
                "expanded": torch.randn(1, 2).expand(3, 2),
                "transposed": torch.randn(2, 3).t(),
                "sliced": torch.randn(6, 5)[::2, 1:3],
            }[shape]
            close(torch.autograd.grad(out, x, grad)[0], torch.autograd.grad(fn(x), x, grad)[0])


def test_gradients_have_memory_of_their_own():
    f = gpuos.compile(lambda x, y: x + y)
    for _ in range(4):
        x, y = torch.randn(3, requires_grad=True), torch.randn(3, requires_grad=True)
        grad = torch.ones(3)
        f(x, y).backward(grad)
        x.grad.add_(1)
        assert grad.tolist() == y.grad.tolist() == [1, 1, 1]
        f(x, y).backward(grad)
        assert y.grad.tolist() == [2, 2, 2] and grad.tolist() == [1, 1, 1]
    assert f._replays > 1


def test_changes_before_backward_are_noticed():
    w = torch.randn(3, requires_grad=True)
    f = gpuos.compile(lambda x: torch.exp(x * w))
    for k in range(5):
        out = f(torch.randn(3, requires_grad=True))
        with torch.no_grad():
            (out if k % 2 else w).add_(1)
        with pytest.raises(RuntimeError, match="modified by an inplace operation"):
            out.sum().backward()
    assert f._replays > 1


def test_backward_twice_needs_retained_memory():
    f = gpuos.compile(lambda x: torch.exp(x) * x)
    for _ in range(4):
        x = torch.randn(3, requires_grad=True)
        out = f(x).sum()
        (one,) = torch.autograd.grad(out, x, retain_graph=True)
        (other,) = torch.autograd.grad(out, x)
        close(one, other)
    with pytest.raises(RuntimeError, match="backward through the graph a second time"):
        torch.autograd.grad(out, x)


def test_double_backward_is_an_error_or_right():
    fn = lambda x: (x**3).sum()
    f = gpuos.compile(fn)
    for k in range(4):
        x = torch.randn(3, requires_grad=True)
        (g,) = torch.autograd.grad(f(x), x, create_graph=True)
        close(g.detach(), 3 * x.detach() ** 2)
        if k == 0:
            close(torch.autograd.grad(g.sum(), x)[0], 6 * x.detach())
        else:
            with pytest.raises(RuntimeError, match="gradient of a gradient.*not the compiled one"):
                (g.sum() + x.sum()).backward()


def test_hooks_of_parameters_run():
    w = torch.randn(3, requires_grad=True)
    seen = []
    f = gpuos.compile(lambda x: x * w)
    for k in range(5):
        if k == 3:
            w.register_hook(lambda grad: seen.append(grad) or grad * 2)
        w.grad = None
        x = torch.randn(3)
        f(x).sum().backward()
        close(w.grad, x * (2 if k >= 3 else 1))
    assert len(seen) == 2


def test_memory_is_given_back():
    w = torch.randn(1000, requires_grad=True)
    f = gpuos.compile(lambda x: torch.exp(x * w) * x)
    for k in range(5):
        out = f(torch.randn(1000))
        if k > 1:
            kept = weakref.ref(out.grad_fn)
        out.sum().backward()
        del out
        assert k < 2 or kept() is None
    assert f._replays > 1


def test_tensors_kept_out_of_reach_are_noticed():
    class Hidden:
        __slots__ = ("kept",)

    hidden = Hidden()

    def fn(x):
        hidden.kept = x * 2
        return x * x

    f = gpuos.compile(fn)
    for _ in range(8):
        x = torch.randn(2, requires_grad=True)
        out = f(x)
        close(hidden.kept.detach(), 2 * x.detach())
        close(torch.autograd.grad(out.sum(), x)[0], 2 * x.detach())
    assert f._replays == 0


def test_functions_that_write_what_needs_gradients_stay_in_pytorch():
    def fn(x):
        x.mul_(2)
        return x * x

    f = gpuos.compile(fn)
    for _ in range(5):
        leaf = torch.randn(3, requires_grad=True)
        f(leaf.clone()).sum().backward()
        close(leaf.grad, 8 * leaf.detach())
    assert f._replays == 0


def test_backward_inside_with_a_result_that_needs_gradients():
    w = torch.ones(2, requires_grad=True)

    def fn(x):
        loss = (w * x).sum()
        loss.backward()
        return loss

    f = gpuos.compile(fn)
    for k in range(6):
        f(torch.ones(2))
        assert w.grad.tolist() == [k + 1, k + 1]


def test_refused_functions_keep_their_history():
    f = gpuos.compile(lambda x, y: torch.special.i0(x * y))
    g = gpuos.compile(lambda x, y: (x * y)[x > 0].sum() + x.sum())
    for fn, wanted in ((f, lambda x, y: torch.special.i0(x * y).sum()), (g, lambda x, y: (x * y)[x > 0].sum() + x.sum())):
        for _ in range(6):
            x, y = torch.randn(4, requires_grad=True), torch.randn(4, requires_grad=True)
            a, b = x * 1, y * x
            c, d = x * 1, y * x
            got = torch.autograd.grad(fn(a, b).sum(), (x, y))
            for one, other in zip(got, torch.autograd.grad(wanted(c, d), (x, y))):
                close(one, other)


def test_verify_compares():
    f = gpuos.compile(lambda x: torch.exp(x) + x, verify=1)
    for _ in range(5):
        x = torch.randn(3, requires_grad=True)
        f(x).sum().backward()
        close(x.grad, x.detach().exp() + 1)


def test_scopes_and_recordings_go_together():
    f = gpuos.compile(lambda x: torch.exp(x) + x)
    x = torch.randn(3, requires_grad=True)
    with gpuos.dispatch(warmup=0):
        f(x).sum().backward()
    close(x.grad, x.detach().exp() + 1)
