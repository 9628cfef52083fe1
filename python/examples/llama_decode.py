"""A Llama-like decoder of four layers that generates 64 tokens, its keys and values kept in a cache.

RMS norm, rotary positions, grouped keys, SwiGLU. A step is one token: it writes one line of each cache, attends to all
lines up to its own, and gives the logits and the next token.
"""

import _checkout  # noqa: F401
import torch

from gpuos.bench.example import Example, main, weights

LAYERS, WIDTH, HEADS, GROUPS, FEED, VOCABULARY, TOKENS = 4, 64, 4, 2, 128, 256, 64
HEAD = WIDTH // HEADS


class Layer(torch.nn.Module):
    def __init__(self, device, dtype):
        super().__init__()
        linear = torch.nn.Linear
        self.norm = torch.nn.RMSNorm(WIDTH, eps=1e-5)
        self.q = linear(WIDTH, WIDTH, bias=False)
        self.k = linear(WIDTH, GROUPS * HEAD, bias=False)
        self.v = linear(WIDTH, GROUPS * HEAD, bias=False)
        self.o = linear(WIDTH, WIDTH, bias=False)
        self.norm_feed = torch.nn.RMSNorm(WIDTH, eps=1e-5)
        self.gate = linear(WIDTH, FEED, bias=False)
        self.up = linear(WIDTH, FEED, bias=False)
        self.down = linear(FEED, WIDTH, bias=False)
        for name in ("keys", "values"):
            self.register_buffer(name, torch.zeros(GROUPS, TOKENS, HEAD, device=device, dtype=dtype))

    def forward(self, x, position, cosine, sine, visible):
        y = self.norm(x)
        q = rotate(self.q(y).view(HEADS, 1, HEAD), cosine, sine)
        k = rotate(self.k(y).view(GROUPS, 1, HEAD), cosine, sine)
        self.keys.index_copy_(1, position, k)
        self.values.index_copy_(1, position, self.v(y).view(GROUPS, 1, HEAD))
        keys = self.keys.repeat_interleave(HEADS // GROUPS, 0)
        cached = self.values.repeat_interleave(HEADS // GROUPS, 0)
        scores = q @ keys.transpose(1, 2) / HEAD**0.5
        attended = torch.softmax(scores.masked_fill(~visible, float("-inf")), -1) @ cached
        x = x + self.o(attended.reshape(1, WIDTH))
        y = self.norm_feed(x)
        return x + self.down(torch.nn.functional.silu(self.gate(y)) * self.up(y))


def rotate(x, cosine, sine):
    one, other = x.chunk(2, -1)
    return torch.cat([one * cosine - other * sine, one * sine + other * cosine], -1)


class LlamaDecode(Example):
    name = "llama_decode"
    what = f"Llama-like decoder, {LAYERS} layers of width {WIDTH}, {TOKENS} tokens with a KV cache, a token"
    calls = TOKENS

    def __init__(self, device, dtype, capturable=False):
        self.embedding = weights(7, torch.nn.Embedding(VOCABULARY, WIDTH), device, dtype)
        self.layers = torch.nn.ModuleList(Layer(device, dtype) for _ in range(LAYERS))
        self.head = torch.nn.Linear(WIDTH, VOCABULARY, bias=False)
        weights(8, self.layers, device, dtype)
        weights(9, self.head, device, dtype)
        turns = torch.arange(TOKENS, dtype=torch.float64)[:, None] * 1e4 ** (-torch.arange(HEAD // 2) / (HEAD / 2))
        self.cosine, self.sine = turns.cos().to(device, dtype), turns.sin().to(device, dtype)
        self.places = torch.arange(TOKENS, device=device)
        self.device = device

    def step(self, token, position):
        x = self.embedding(token)
        cosine, sine = self.cosine.index_select(0, position), self.sine.index_select(0, position)
        visible = self.places <= position
        for layer in self.layers:
            x = layer(x, position, cosine, sine, visible)
        logits = self.head(x)
        return logits, logits.argmax(-1)

    def inputs(self, k):
        first = torch.tensor([k * 37 % VOCABULARY], device=self.device)
        # Copies, so that every position has memory of its own, as a token has.
        return [first, *(self.places[t : t + 1].clone() for t in range(TOKENS))]

    def arguments(self, k):
        return self.inputs(k)[:2]

    def drive(self, step, k):
        token, *positions = self.inputs(k)
        found = []
        for position in positions:
            logits, token = step(token, position)
            # A copy: a graph's logits are overwritten by its next call.
            found.append(logits.clone())
        return torch.cat(found)

    def state(self):
        return [layer.keys for layer in self.layers] + [layer.values for layer in self.layers]


EXAMPLE = LlamaDecode

if __name__ == "__main__":
    main(LlamaDecode)
