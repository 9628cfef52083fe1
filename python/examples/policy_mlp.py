"""A policy of reinforcement learning: 64-64-64-8 with tanh, one observation at a time."""

import _checkout  # noqa: F401
import torch

from gpuos.bench.example import Example, main, values, weights


class PolicyMlp(Example):
    name = "policy_mlp"
    what = "policy MLP 64-64-64-8, tanh, batch 1"

    def __init__(self, device, dtype, capturable=False):
        linear = torch.nn.Linear
        self.net = torch.nn.Sequential(
            linear(64, 64), torch.nn.Tanh(), linear(64, 64), torch.nn.Tanh(), linear(64, 8), torch.nn.Tanh()
        )
        weights(1, self.net, device, dtype)
        self.place = device, dtype

    def step(self, observation):
        return self.net(observation)

    def inputs(self, k):
        return [values(k, (1, 64), *self.place)]


EXAMPLE = PolicyMlp

if __name__ == "__main__":
    main(PolicyMlp)
