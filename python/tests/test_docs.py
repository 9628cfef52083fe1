"""The examples of docs/pytorch.md, one after the other."""

import pathlib
import re

import torch

PAGE = pathlib.Path(__file__).resolve().parents[2] / "docs" / "pytorch.md"


def test_examples_run(capsys):
    blocks = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(), re.M | re.S)
    assert len(blocks) == 4
    names = {"pairs": [(torch.ones(3), torch.ones(3))] * 4, "results": []}
    for block in blocks:
        exec(compile(block, str(PAGE), "exec"), names)
    assert "recorded, 1 segments" in capsys.readouterr().out
    torch.testing.assert_close(names["results"], [torch.full((3,), 2.0)] * 4)
    x = torch.randn(2, 64)
    torch.testing.assert_close(names["compiled"](x), names["model"](x), rtol=1e-4, atol=1e-5)
    assert names["y"].shape == (4, 8)
