"""PyTorch's own operator database against gpuos.compile: `python -m gpuos.conformance --help`.

    database --samples--> cases --check--> findings --runner--> report

For each operator, dtype and sample there are up to four cases: the function, in place, with `out=`,
and with its gradients. A case is recorded, its memory is overwritten with other values of the same
layout, and it is replayed; what comes out, and what was written in place, is compared with what
PyTorch gives for these values. Operators are checked in worker processes, so that one that crashes
or hangs is a line of the report, not its end.
"""
