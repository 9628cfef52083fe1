"""Models and a training step by the native operators, compared with PyTorch; run by test_native.py."""

import copy

import torch

import gpuos


def same(ours, theirs):
    torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-5)


def perceptron():
    return torch.nn.Sequential(
        torch.nn.Linear(64, 32),
        torch.nn.ReLU(),
        torch.nn.Linear(32, 32),
        torch.nn.Tanh(),
        torch.nn.LayerNorm(32),
        torch.nn.Linear(32, 8),
    )


def native_only(report):
    """A recorded function has one segment, and that is native."""
    assert "recorded, 1 segments" in report and "\nnative, " in report, report


def inference():
    model = perceptron()
    compiled = gpuos.compile(model)
    with torch.no_grad():
        for _ in range(4):
            x = torch.randn(3, 64)
            same(compiled(x), model(x))
        native_only(gpuos.explain(compiled, torch.randn(3, 64)))


def training():
    ours = perceptron()
    theirs = copy.deepcopy(ours)

    def trainer(model):
        optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)

        def step(x, y):
            optimizer.zero_grad()
            loss = torch.nn.functional.mse_loss(model(x), y)
            loss.backward()
            optimizer.step()
            return loss.detach()

        return step

    step, reference = gpuos.compile(trainer(ours)), trainer(theirs)
    for _ in range(8):
        x, y = torch.randn(16, 64), torch.randn(16, 8)
        same(step(x, y), reference(x, y))
    native_only(gpuos.explain(step, x, y))


torch.manual_seed(7)
inference()
training()
print("native models agree")
