"""A GRU in a Python loop: a cell over 16 steps of time, as models with feedback write it."""

import _checkout  # noqa: F401
import torch

from gpuos.bench.example import Example, main, values, weights

STEPS, WIDTH = 16, 32


class GruLoop(Example):
    name = "gru_loop"
    what = f"GRU cell in a loop, {STEPS} steps of width {WIDTH}, batch 1"

    def __init__(self, device, dtype, capturable=False):
        self.cell = weights(4, torch.nn.GRUCell(WIDTH, WIDTH), device, dtype)
        self.place = device, dtype

    def step(self, sequence, hidden):
        hiddens = []
        for x in sequence.unbind(0):
            hidden = self.cell(x, hidden)
            hiddens.append(hidden)
        return torch.stack(hiddens)

    def inputs(self, k):
        return [values(k, (STEPS, 1, WIDTH), *self.place), values(k + 500, (1, WIDTH), *self.place)]


EXAMPLE = GruLoop

if __name__ == "__main__":
    main(GruLoop)
