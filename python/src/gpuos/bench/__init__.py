"""Measurements on the user's machine: `python -m gpuos.bench`. docs/benchmarks.md says how to read them.

The modules, in the order of the data's way: `options` reads the command line; `suite` runs one child
process a table (`child`), so that a crash or a hang costs a cell and not the run; `work` holds what is
computed and its float64 reference, `columns` the ways to compute it, `measure` checks and times them in
interleaved rounds; `processes`, `startup`, `energy`, `scaling` and `models` are tables with methods of
their own; `document` is the result, `text` and `page` show it. `example` serves python/examples.
"""
