"""A graph network on 22 atoms: two rounds of messages along all pairs, the energy, and forces as its gradient."""

import _checkout  # noqa: F401
import torch

from gpuos.bench.example import Example, main, values, weights

ATOMS, WIDTH, RADIAL = 22, 32, 8


class GraphNetwork(Example):
    name = "graph_network"
    what = f"graph network, {ATOMS} atoms, two rounds of messages, energy and forces"
    training = True

    def __init__(self, device, dtype, capturable=False):
        linear, silu = torch.nn.Linear, torch.nn.SiLU
        self.embedding = weights(16, torch.nn.Embedding(4, WIDTH), device, dtype)
        self.messages = torch.nn.ModuleList(
            torch.nn.Sequential(linear(2 * WIDTH + RADIAL, WIDTH), silu(), linear(WIDTH, WIDTH))
            for _ in range(2)
        )
        self.updates = torch.nn.ModuleList(linear(WIDTH, WIDTH) for _ in range(2))
        self.read = torch.nn.Sequential(linear(WIDTH, 16), silu(), linear(16, 1))
        for seed, module in ((17, self.messages), (18, self.updates), (19, self.read)):
            weights(seed, module, device, dtype)
        for module in (self.embedding, self.messages, self.updates, self.read):
            module.requires_grad_(False)
        pairs = [(i, j) for i in range(ATOMS) for j in range(ATOMS) if i != j]
        self.sender = torch.tensor([i for i, _ in pairs], device=device)
        self.receiver = torch.tensor([j for _, j in pairs], device=device)
        self.kinds = torch.tensor([k % 4 for k in range(ATOMS)], device=device)
        self.centres = torch.linspace(0, 4, RADIAL, device=device, dtype=dtype)
        self.place = device, dtype

    def step(self, given):
        positions = given.detach().requires_grad_()
        offsets = positions.index_select(0, self.receiver) - positions.index_select(0, self.sender)
        distance = (offsets.pow(2).sum(-1, keepdim=True) + 1e-6).sqrt()
        radial = torch.exp(-((distance - self.centres) ** 2))
        atoms = self.embedding(self.kinds)
        for message, update in zip(self.messages, self.updates):
            ends = [atoms.index_select(0, self.sender), atoms.index_select(0, self.receiver), radial]
            sent = message(torch.cat(ends, -1))
            gathered = torch.zeros_like(atoms).index_add(0, self.receiver, sent)
            atoms = atoms + torch.nn.functional.silu(update(gathered / ATOMS))
        energy = self.read(atoms).sum()
        (gradient,) = torch.autograd.grad(energy, positions)
        return energy.detach(), -gradient

    def inputs(self, k):
        return [values(k, (ATOMS, 3), *self.place, scale=1.5)]


EXAMPLE = GraphNetwork

if __name__ == "__main__":
    main(GraphNetwork)
