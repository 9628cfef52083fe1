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
            {column: rows[name] for column, rows in request["excluded"].items() if name in rows},
            lambda column, phase: tell(at="column", column=column, phase=phase),
        )
        tell(at="done", row=json.loads(document.encode(_row(table, name, run, context, tell))))
    tell(at="end")


def _row(table, name, run, context, tell):
    from gpuos.bench import document, measure

    if context.late():
        cell = document.missing("pending", context.lateness)
        return {"name": name, "what": "", "cells": {table.base: cell}}
    try:
        return run(context)
    except measure.Broken as broken:
        tell(at="broken", column=broken.column, cell=broken.cell)
        os._exit(1)
    except Exception as error:
        # What all columns share has failed: their operands or their reference.
        return {"name": name, "what": "", "cells": {table.base: document.failure(error)}}


if __name__ == "__main__":
    main()
