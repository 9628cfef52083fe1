"""An update of soft actor-critic: actor, two critics, their targets, and Adam for all of them.

The noise of the policy comes in as tensors, so that every column computes the same.
"""

import copy

import _checkout  # noqa: F401
import torch

from gpuos.bench.example import Example, main, values, weights

OBSERVATION, ACTION, HIDDEN, BATCH = 16, 4, 32, 32
DISCOUNT, TAU, ALPHA = 0.99, 0.005, 0.2


def perceptron(inputs, outputs):
    linear = torch.nn.Linear
    return torch.nn.Sequential(
        linear(inputs, HIDDEN), torch.nn.ReLU(), linear(HIDDEN, HIDDEN), torch.nn.ReLU(), linear(HIDDEN, outputs)
    )


class SacUpdate(Example):
    name = "sac_update"
    what = f"soft actor-critic, an update: actor, two critics, targets, Adam, batch {BATCH}"
    training = True

    def __init__(self, device, dtype, capturable=False):
        self.actor = weights(14, perceptron(OBSERVATION, 2 * ACTION), device, dtype)
        self.critics = torch.nn.ModuleList(perceptron(OBSERVATION + ACTION, 1) for _ in range(2))
        weights(15, self.critics, device, dtype)
        self.targets = copy.deepcopy(self.critics).requires_grad_(False)
        kinds = {"lr": 1e-3, "eps": 1e-4, "fused": True, "capturable": capturable}
        self.actor_adam = torch.optim.Adam(self.actor.parameters(), **kinds)
        self.critic_adam = torch.optim.Adam(self.critics.parameters(), **kinds)
        self.place = device, dtype

    def act(self, observation, noise):
        """A squashed Gaussian action with its log probability."""
        mean, log_deviation = self.actor(observation).chunk(2, -1)
        deviation = log_deviation.clamp(-5, 2).exp()
        raw = mean + deviation * noise
        action = torch.tanh(raw)
        log_density = -0.5 * noise.pow(2) - deviation.log() - 0.9189385332046727
        log_density = log_density - torch.log(1 - action.pow(2) + 1e-4)
        return action, log_density.sum(-1, keepdim=True)

    def least(self, critics, observation, action):
        both = torch.cat([observation, action], -1)
        return torch.minimum(critics[0](both), critics[1](both))

    def step(self, observation, action, reward, following, noise, next_noise):
        with torch.no_grad():
            next_action, log_next = self.act(following, next_noise)
            value = self.least(self.targets, following, next_action) - ALPHA * log_next
            wanted = reward + DISCOUNT * value
        both = torch.cat([observation, action], -1)
        mse = torch.nn.functional.mse_loss
        critic_loss = mse(self.critics[0](both), wanted) + mse(self.critics[1](both), wanted)
        self.critic_adam.zero_grad()
        critic_loss.backward()
        self.critic_adam.step()
        new_action, log_new = self.act(observation, noise)
        actor_loss = (ALPHA * log_new - self.least(self.critics, observation, new_action)).mean()
        self.actor_adam.zero_grad()
        actor_loss.backward()
        self.actor_adam.step()
        with torch.no_grad():
            for target, critic in zip(self.targets.parameters(), self.critics.parameters()):
                target.lerp_(critic, TAU)
        return critic_loss.detach(), actor_loss.detach()

    def inputs(self, k):
        shapes = [(BATCH, OBSERVATION), (BATCH, ACTION), (BATCH, 1), (BATCH, OBSERVATION)]
        shapes += [(BATCH, ACTION)] * 2
        made = [values(100 * n + k, shape, *self.place) for n, shape in enumerate(shapes)]
        made[1] = made[1].tanh()
        return made

    def state(self):
        return [*self.actor.parameters(), *self.critics.parameters(), *self.targets.parameters()]


EXAMPLE = SacUpdate

if __name__ == "__main__":
    main(SacUpdate)
