"""Measures one table in a process of its own, for `suite`: `python -m gpuos.bench.child`.

The request is one JSON object on standard input, the answer one JSON object a line on what was standard output;
everything else that prints there goes to standard error instead.
"""

import json
import os
import sys


def main():
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    request = json.loads(sys.stdin.readline())

    def tell(**event):
        answers.write(json.dumps(event) + "\n")
        answers.flush()

    tell(at="starting")
    import torch

    from gpuos.bench import document, tables

    if request["settings"].get("threads"):
        torch.set_num_threads(request["settings"]["threads"])
    table = tables.by_name(request["table"])
    done = set(request["done"])
    for name, run in table.rows(request["settings"]):
        if name in done:
            continue
        tell(at="row", row=name)
        context = tables.Context(
            request["settings"],
            {k: v["cell"] for k, v in request["excluded"].items() if name in v["rows"]},
            lambda column, phase: tell(at="column", column=column, phase=phase),
        )
        if context.late():
            row = {"name": name, "what": "", "cells": {table.base: document.missing("pending", context.lateness)}}
        else:
            try:
                row = run(context)
            except Exception as error:
                # What all columns share has failed: their operands or their reference.
                row = {"name": name, "what": "", "cells": {table.base: document.failure(error)}}
        tell(at="done", row=json.loads(document.encode(row)))
        if _is_broken(torch, request["settings"]):
            # Nothing can be measured in this process any more.
            tell(at="broken")
            os._exit(1)
    tell(at="end")


def _is_broken(torch, settings):
    if not settings["device"].startswith("cuda"):
        return False
    try:
        torch.cuda.synchronize()
        torch.ones(1, device=settings["device"]).item()
    except Exception:
        return True
    return False


if __name__ == "__main__":
    main()
