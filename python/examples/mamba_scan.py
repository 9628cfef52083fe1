"""A selective state space scan as Mamba has it, written as a loop over time."""

import _checkout  # noqa: F401
import torch

from gpuos.bench.example import Example, main, values, weights

STEPS, INNER, STATE = 32, 64, 8


class MambaScan(Example):
    name = "mamba_scan"
    what = f"selective scan, {STEPS} steps, {INNER} channels with states of {STATE}"

    def __init__(self, device, dtype, capturable=False):
        linear = torch.nn.Linear
        self.project = weights(10, linear(INNER, 2 * INNER, bias=False), device, dtype)
        self.select = weights(11, linear(INNER, INNER + 2 * STATE), device, dtype)
        self.out = weights(12, linear(INNER, INNER, bias=False), device, dtype)
        self.decay = -torch.arange(1, STATE + 1, device=device, dtype=dtype).repeat(INNER, 1)
        self.place = device, dtype

    def step(self, sequence, state):
        x, gate = self.project(sequence).chunk(2, -1)
        x = torch.nn.functional.silu(x)
        delta, b, c = self.select(x).split([INNER, STATE, STATE], -1)
        delta = torch.nn.functional.softplus(delta)
        outs = []
        for t in range(STEPS):
            kept = torch.exp(delta[t, :, None] * self.decay)
            state = kept * state + (delta[t] * x[t])[:, None] * b[t]
            outs.append((state * c[t]).sum(-1))
        y = torch.stack(outs) * torch.nn.functional.silu(gate)
        return self.out(y), state

    def inputs(self, k):
        return [values(k, (STEPS, INNER), *self.place), values(k + 500, (INNER, STATE), *self.place)]


EXAMPLE = MambaScan

if __name__ == "__main__":
    main(MambaScan)
