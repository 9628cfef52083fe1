"""The models of python/examples as a table: the checkout's, found beside the package."""

import importlib.util
import sys

from gpuos.bench import machine

NAMES = [
    "policy_mlp", "mlp_mixer", "gru_loop", "lstm_loop", "llama_decode", "mamba_scan", "neural_ode",
    "sac_update", "graph_network",
]


def _rows(settings):
    names = NAMES[:2] if settings["quick"] else NAMES
    return [(name, lambda context, name=name: _measure(context, name)) for name in names]


def load(name):
    """The class of an example; LookupError outside of a checkout."""
    root = machine.checkout()
    path = root and root / "python" / "examples" / f"{name}.py"
    if path is None or not path.exists():
        raise LookupError(f"no example: name={name}, searched={path or 'a checkout'}")
    directory = str(path.parent)
    if directory not in sys.path:
        sys.path.insert(0, directory)
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.EXAMPLE


def _measure(context, name):
    from gpuos.bench import example

    return example.measure_row(load(name), context)


def _table():
    from gpuos.bench import example
    from gpuos.bench.tables import Table

    return Table(
        "models",
        "Models with random weights",
        "us a step",
        "python/examples: steps in a row, results and state checked against float64.",
        _rows,
        own=[column.describe() for column in example.COLUMNS],
    )


TABLE = _table()
