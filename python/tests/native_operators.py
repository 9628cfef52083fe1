"""Models and optimizers all of whose calls are native, compared with PyTorch; run by test_models.py."""

import copy
import sys

import torch
from torch.nn import functional

import gpuos
from gpuos import plan


def same(ours, theirs):
    torch.testing.assert_close(ours, theirs, rtol=2e-4, atol=2e-5)


def check(make, *inputs, calls=6):
    """A function of a model replays natively and does what it does in PyTorch.

    Args:
        make: gives the function, and the tensors that it changes
        inputs: functions that give arguments
    """
    torch.manual_seed(3)
    ours, state = make()
    torch.manual_seed(3)
    theirs, reference = make()
    compiled = gpuos.compile(ours)
    for k in range(calls):
        torch.manual_seed(100 + k)
        arguments = [draw() for draw in inputs]
        twins = copy.deepcopy(arguments)
        same(compiled(*arguments), theirs(*twins))
        same(arguments, twins)
        same(state, reference)
    assert compiled._replays >= 2, compiled.explain(*arguments)
    for record in compiled._records.values():
        for segment in record.entries[-1].segments:
            assert isinstance(segment, plan.Native), segment.explain()


def training(model, loss, optimizer):
    """Forward, backward and optimizer of a model in one function."""

    def make():
        module = model()
        chosen = optimizer(module.parameters())

        def step(*arguments):
            chosen.zero_grad()
            value = loss(module, *arguments)
            value.backward()
            chosen.step()
            return value.detach()

        return step, list(module.parameters())

    return make


def inference(model):
    def make():
        module = model().eval()

        def forward(*arguments):
            with torch.no_grad():
                return module(*arguments)

        return forward, []

    return make


def adamw(parameters):
    return torch.optim.AdamW(parameters, lr=1e-2, foreach=False, capturable=False)


def perceptron():
    return torch.nn.Sequential(
        torch.nn.Linear(16, 32), torch.nn.ReLU(), torch.nn.Linear(32, 32), torch.nn.GELU(), torch.nn.Linear(32, 4)
    )


class Cells(torch.nn.Module):
    """A loop over time, in Python."""

    def __init__(self, kind):
        super().__init__()
        self.cell = kind(8, 16)
        self.is_lstm = kind is torch.nn.LSTMCell

    def forward(self, x):
        state = x.new_zeros(x.shape[1], 16)
        state = (state, state.clone()) if self.is_lstm else state
        for step in x.unbind(0):
            state = self.cell(step, state)
        return state[0] if self.is_lstm else state


class Layer(torch.nn.Module):
    """A recurrent layer of PyTorch; its last output."""

    def __init__(self, kind):
        super().__init__()
        self.layer = kind(8, 16, num_layers=2)

    def forward(self, x):
        return self.layer(x)[0][-1]


def encoder():
    return torch.nn.TransformerEncoderLayer(32, 4, 64, dropout=0.0, batch_first=True)


class RMSNorm(torch.nn.Module):
    def __init__(self, width):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(width))

    def forward(self, x):
        return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-6) * self.weight


def rotated(x, cos, sin):
    half = x.shape[-1] // 2
    turned = torch.cat((-x[..., half:], x[..., :half]), dim=-1)
    return x * cos + turned * sin


class Decoder(torch.nn.Module):
    """A layer of a decoder with RMSNorm, rotary embedding, cached keys, and SwiGLU."""

    def __init__(self, width=32, heads=4, shared=2, length=12):
        super().__init__()
        self.heads, self.shared, self.size = heads, shared, width // heads
        self.embedding = torch.nn.Embedding(20, width)
        self.norms = torch.nn.ModuleList([RMSNorm(width), torch.nn.RMSNorm(width), RMSNorm(width)])
        self.query = torch.nn.Linear(width, width, bias=False)
        self.key = torch.nn.Linear(width, shared * self.size, bias=False)
        self.value = torch.nn.Linear(width, shared * self.size, bias=False)
        self.out = torch.nn.Linear(width, width, bias=False)
        self.gate = torch.nn.Linear(width, 48, bias=False)
        self.up = torch.nn.Linear(width, 48, bias=False)
        self.down = torch.nn.Linear(48, width, bias=False)
        self.head = torch.nn.Linear(width, 20, bias=False)
        angles = torch.outer(torch.arange(length), 0.1 ** torch.arange(0, self.size, 2))
        self.register_buffer("cos", torch.cat((angles, angles), -1).cos())
        self.register_buffer("sin", torch.cat((angles, angles), -1).sin())

    def split(self, x, heads):
        return x.view(x.shape[0], x.shape[1], heads, self.size).transpose(1, 2)

    def block(self, tokens, places, attend):
        x = self.embedding(tokens)
        y = self.norms[0](x)
        cos, sin = self.cos[places], self.sin[places]
        q = rotated(self.split(self.query(y), self.heads), cos, sin)
        k = rotated(self.split(self.key(y), self.shared), cos, sin)
        y = attend(q, k, self.split(self.value(y), self.shared))
        x = x + self.out(y.transpose(1, 2).reshape(x.shape))
        y = self.norms[1](x)
        x = x + self.down(functional.silu(self.gate(y)) * self.up(y))
        return self.head(self.norms[2](x))

    def repeated(self, x):
        return x.repeat_interleave(self.heads // self.shared, dim=1)

    def forward(self, tokens):
        def attend(q, k, v):
            return functional.scaled_dot_product_attention(
                q, self.repeated(k), self.repeated(v), is_causal=True
            )

        return self.block(tokens, torch.arange(tokens.shape[1]), attend)

    def decode(self, tokens, place, keys, values):
        """One token more: keys and values are written to the cache at its place."""

        def attend(q, k, v):
            keys.index_copy_(2, place, k)
            values.index_copy_(2, place, v)
            mask = torch.arange(keys.shape[2]).unsqueeze(0) <= place
            return functional.scaled_dot_product_attention(
                q, self.repeated(keys), self.repeated(values), attn_mask=mask
            )

        return self.block(tokens, place, attend)


def decoding():
    module = Decoder().eval()
    keys, values = torch.zeros(2, 2, 12, 8), torch.zeros(2, 2, 12, 8)

    def forward(tokens, place):
        with torch.no_grad():
            return module.decode(tokens, place, keys, values)

    return forward, [keys, values]


def many(kind, count=20, **options):
    """An optimizer over many tensors, whose gradients are given."""

    def make():
        parameters = [torch.nn.Parameter(torch.randn(3 + k % 4, 5)) for k in range(count)]
        optimizer = kind(parameters, **options)

        def step(scale):
            optimizer.zero_grad()
            sum((parameter * parameter * scale).sum() for parameter in parameters).backward()
            optimizer.step()

        return step, parameters

    return make


def cross_entropy(model, x, target):
    return functional.cross_entropy(model(x), target)


def squares(model, x, y):
    return functional.mse_loss(model(x), y)


def norms():
    return torch.nn.Sequential(
        torch.nn.GroupNorm(2, 8), torch.nn.SiLU(), torch.nn.BatchNorm2d(8), torch.nn.LayerNorm(5)
    )


def floats(*shape):
    return lambda: torch.randn(shape)


def integers(high, *shape):
    return lambda: torch.randint(high, shape)


SEQUENCE = floats(4, 3, 8)
CASES = {
    "perceptron": lambda: check(inference(perceptron), floats(3, 16)),
    "perceptron trained": lambda: check(
        training(perceptron, cross_entropy, adamw), floats(6, 16), integers(4, 6)
    ),
    "LSTM cells": lambda: check(inference(lambda: Cells(torch.nn.LSTMCell)), SEQUENCE),
    "LSTM cells trained": lambda: check(
        training(lambda: Cells(torch.nn.LSTMCell), squares, adamw), SEQUENCE, floats(3, 16)
    ),
    "GRU cells": lambda: check(inference(lambda: Cells(torch.nn.GRUCell)), SEQUENCE),
    "GRU cells trained": lambda: check(
        training(lambda: Cells(torch.nn.GRUCell), squares, adamw), SEQUENCE, floats(3, 16)
    ),
    "LSTM": lambda: check(inference(lambda: Layer(torch.nn.LSTM)), SEQUENCE),
    "LSTM trained": lambda: check(
        training(lambda: Layer(torch.nn.LSTM), squares, adamw), SEQUENCE, floats(3, 16)
    ),
    "GRU": lambda: check(inference(lambda: Layer(torch.nn.GRU)), SEQUENCE),
    "GRU trained": lambda: check(
        training(lambda: Layer(torch.nn.GRU), squares, adamw), SEQUENCE, floats(3, 16)
    ),
    "encoder layer": lambda: check(inference(encoder), floats(2, 7, 32)),
    "encoder layer trained": lambda: check(
        # Gradients of key's bias are 0 but for rounding, which AdamW would make large.
        training(encoder, squares, lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9)),
        floats(2, 7, 32),
        floats(2, 7, 32),
    ),
    "decoder": lambda: check(inference(Decoder), integers(20, 2, 6)),
    "decoder trained": lambda: check(
        training(
            Decoder,
            lambda model, x, y: functional.cross_entropy(model(x).flatten(0, 1), y.flatten()),
            adamw,
        ),
        integers(20, 2, 6),
        integers(20, 2, 6),
    ),
    "decoder with a cache": lambda: check(decoding, integers(20, 2, 1), integers(12, 1)),
    "AdamW": lambda: check(many(torch.optim.AdamW, lr=0.1, foreach=False), floats()),
    "AdamW by default": lambda: check(many(torch.optim.AdamW, lr=0.1), floats()),
    "AdamW, foreach": lambda: check(many(torch.optim.AdamW, lr=0.1, foreach=True), floats()),
    "AdamW, fused": lambda: check(many(torch.optim.AdamW, lr=0.1, fused=True), floats()),
    "Adam": lambda: check(many(torch.optim.Adam, lr=0.1, weight_decay=0.1), floats()),
    "SGD": lambda: check(many(torch.optim.SGD, lr=0.1, momentum=0.9, nesterov=True), floats()),
    "SGD, foreach": lambda: check(
        many(torch.optim.SGD, lr=0.1, momentum=0.9, foreach=True), floats()
    ),
    "norms": lambda: check(inference(norms), floats(3, 8, 4, 5)),
    "norms trained": lambda: check(
        training(norms, squares, lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9)),
        floats(3, 8, 4, 5),
        floats(3, 8, 4, 5),
    ),
}

if __name__ == "__main__":
    for name in sys.argv[1:] or CASES:
        CASES[name]()
        print(f"native: {name}", flush=True)
