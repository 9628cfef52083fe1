"""A process that checks one operator after the other, as lines of its input ask for.

A line is a JSON object with name, dtype, device, seed, variants and samples; the answer is a line
with counts, reasons and errors. What others print goes to the error stream.
"""

import collections
import json
import os
import sys
import traceback
import warnings

import torch
from torch.utils._pytree import tree_leaves

from gpuos.conformance import check, database
from gpuos.conformance.cases import Skipped, case
from gpuos.conformance.memory import is_plain

# Distinct reasons and errors that are kept of an operator.
_MOST = 8


def examine(operators, task):
    """Checks one operator in one dtype; returns what a report needs."""
    op = operators[task["name"]]
    dtype = database.DTYPES[task["dtype"]]
    counts, reasons, errors = collections.Counter(), collections.Counter(), []
    for variant in task["variants"]:
        if variant == "gradient" and not database.has_gradient(op, task["device"], dtype):
            continue
        for k, (sample, other) in enumerate(_pairs(op, task, dtype, variant == "gradient")):
            finding = _find(op, variant, sample, other, task["seed"])
            counts[finding.verdict] += 1
            if finding.verdict == check.WRONG:
                errors.append(f"sample {k}, {finding.reasons[0]}; {_described(sample)}")
            elif finding.verdict != check.SKIPPED:
                reasons.update(finding.reasons)
    return {
        "counts": dict(counts),
        "reasons": [f"{text} ({count})" for text, count in reasons.most_common(_MOST)],
        "errors": errors[:_MOST],
    }


def _pairs(op, task, dtype, gradients):
    """Samples, each with one of the same form from other random numbers if there is one."""
    drawn = database.samples(op, task["device"], dtype, gradients, task["seed"])
    again = database.samples(op, task["device"], dtype, gradients, task["seed"] + 1000)
    most = task["samples"] or len(drawn)
    if len(drawn) != len(again):
        again = [None] * len(drawn)
    step = max(1, len(drawn) // most)
    return list(zip(drawn, again))[::step][:most]


def _find(op, variant, sample, other, seed):
    if not is_plain(tree_leaves((sample.input, sample.args, sample.kwargs))):
        return check.Finding(check.SKIPPED, ["a tensor that is not strided memory of real numbers"])
    try:
        mine = case(op, variant, sample, seed)
        redrawn = case(op, variant, other, seed + 1).leaves if other is not None else None
    except Skipped as skipped:
        return check.Finding(check.SKIPPED, [str(skipped)])
    return check.check(op, mine, redrawn, seed)


def _described(sample):
    words = []
    for leaf in tree_leaves((sample.input, sample.args, sample.kwargs)):
        if isinstance(leaf, torch.Tensor):
            words.append(f"{str(leaf.dtype)[6:]}{list(leaf.shape)}")
        else:
            words.append(repr(leaf)[:40])
    return " ".join(words)[:200]


def serve():
    """Answers lines until there are no more."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    operators = database.operators()
    for line in sys.stdin:
        try:
            answer = examine(operators, json.loads(line))
        except Exception as error:
            traceback.print_exc()
            answer = {"failure": f"{type(error).__name__}: {' '.join(str(error).split())[:400]}"}
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    serve()
