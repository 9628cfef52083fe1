"""A small MLP-Mixer: two blocks that mix 16 patches, then 64 channels."""

import _checkout  # noqa: F401
import torch

from gpuos.bench.example import Example, main, values, weights

PATCHES, CHANNELS = 16, 64


class Block(torch.nn.Module):
    def __init__(self):
        super().__init__()
        linear = torch.nn.Linear
        self.norm_patches = torch.nn.LayerNorm(CHANNELS)
        self.patches = torch.nn.Sequential(linear(PATCHES, 32), torch.nn.GELU(), linear(32, PATCHES))
        self.norm_channels = torch.nn.LayerNorm(CHANNELS)
        self.channels = torch.nn.Sequential(linear(CHANNELS, 128), torch.nn.GELU(), linear(128, CHANNELS))

    def forward(self, x):
        x = x + self.patches(self.norm_patches(x).transpose(1, 2)).transpose(1, 2)
        return x + self.channels(self.norm_channels(x))


class MlpMixer(Example):
    name = "mlp_mixer"
    what = "MLP-Mixer of two blocks, 16 patches of 64 channels, batch 1"

    def __init__(self, device, dtype, capturable=False):
        self.blocks = torch.nn.Sequential(Block(), Block())
        self.head = torch.nn.Sequential(torch.nn.LayerNorm(CHANNELS), torch.nn.Linear(CHANNELS, 10))
        weights(2, self.blocks, device, dtype)
        weights(3, self.head, device, dtype)
        self.place = device, dtype

    def step(self, patches):
        return self.head(self.blocks(patches).mean(1))

    def inputs(self, k):
        return [values(k, (1, PATCHES, CHANNELS), *self.place)]


EXAMPLE = MlpMixer

if __name__ == "__main__":
    main(MlpMixer)
