"""An LSTM in a Python loop: a cell over 16 steps of time, with a read-out after each."""

import _checkout  # noqa: F401
import torch

from gpuos.bench.example import Example, main, values, weights

STEPS, WIDTH = 16, 32


class LstmLoop(Example):
    name = "lstm_loop"
    what = f"LSTM cell in a loop, {STEPS} steps of width {WIDTH}, batch 1, read out each step"

    def __init__(self, device, dtype, capturable=False):
        self.cell = weights(5, torch.nn.LSTMCell(WIDTH, WIDTH), device, dtype)
        self.out = weights(6, torch.nn.Linear(WIDTH, 4), device, dtype)
        self.place = device, dtype

    def step(self, sequence, hidden, memory):
        outs = []
        for x in sequence.unbind(0):
            hidden, memory = self.cell(x, (hidden, memory))
            outs.append(self.out(hidden))
        return torch.stack(outs), memory

    def inputs(self, k):
        state = [values(k + shift, (1, WIDTH), *self.place) for shift in (500, 700)]
        return [values(k, (STEPS, 1, WIDTH), *self.place), *state]


EXAMPLE = LstmLoop

if __name__ == "__main__":
    main(LstmLoop)
