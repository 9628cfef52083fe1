"""A neural ODE of eight Runge-Kutta steps of fixed size, its loss, and the backward pass through all of them."""

import _checkout  # noqa: F401
import torch

from gpuos.bench.example import Example, main, values, weights

STEPS, WIDTH, BATCH = 8, 16, 8


class NeuralOde(Example):
    name = "neural_ode"
    what = f"neural ODE, {STEPS} RK4 steps of width {WIDTH}, forward and backward, batch {BATCH}"
    training = True

    def __init__(self, device, dtype, capturable=False):
        linear = torch.nn.Linear
        self.field = torch.nn.Sequential(linear(WIDTH, 32), torch.nn.Tanh(), linear(32, WIDTH))
        weights(13, self.field, device, dtype)
        self.parameters = list(self.field.parameters())
        self.place = device, dtype

    def step(self, x, wanted):
        h = 1 / STEPS
        for _ in range(STEPS):
            k1 = self.field(x)
            k2 = self.field(x + h / 2 * k1)
            k3 = self.field(x + h / 2 * k2)
            k4 = self.field(x + h * k3)
            x = x + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
        loss = torch.nn.functional.mse_loss(x, wanted)
        gradients = torch.autograd.grad(loss, self.parameters)
        return (loss.detach(), *gradients)

    def inputs(self, k):
        return [values(k, (BATCH, WIDTH), *self.place), values(k + 500, (BATCH, WIDTH), *self.place)]


EXAMPLE = NeuralOde

if __name__ == "__main__":
    main(NeuralOde)
