"""The text of a traced graph, as io.gpuos.aten reads it."""

import torch

from gpuos.trace import DTYPES, Place


def graph_text(calls, roles, sizes, device):
    """Writes calls.

    Args:
        calls: pairs of index and Call
        roles: by storage number `input`, `output` or `temporary`
        sizes: by storage number, bytes
        device: the torch.device all of it is on

    Returns:
        the text, and the storages whose addresses a replay needs, in order
    """
    storages, tensors, lines = [], {}, []

    def tensor(place):
        if place not in tensors:
            tensors[place] = len(tensors)
            if place.storage not in storages:
                storages.append(place.storage)
        return f"%{tensors[place]}"

    def value(given, kind):
        if isinstance(given, Place):
            return tensor(given)
        if given is None:
            return "null"
        if isinstance(given, bool):
            return "true" if given else "false"
        if isinstance(given, (int, float)):
            if kind in ("FloatType", "float"):
                given = float(given)
            return repr(given)
        if isinstance(given, torch.dtype):
            return f"dtype:{DTYPES[given]}" if given in DTYPES else _unknown(given)
        if isinstance(given, (list, tuple)):
            return "[" + ",".join(value(item, kind) for item in given) + "]"
        # The results' places say these already.
        if isinstance(given, torch.memory_format) or given == torch.strided or given == device:
            return "null"
        if isinstance(given, str) and given.isascii() and not set(given) & set(' "\n,[]'):
            return f'"{given}"'
        return _unknown(given)

    for index, call in calls:
        schema = call.function._schema
        name = schema.name + ("." + schema.overload_name if schema.overload_name else "")
        fields = [f"call {index} {name}"]
        for k, argument in enumerate(schema.arguments):
            if k < len(call.args):
                given = call.args[k]
            else:
                given = call.kwargs.get(argument.name, argument.default_value)
            fields.append(f"{argument.name}={value(given, _kind(argument.type))}")
        results = ",".join("%-" if place is None else tensor(place) for place in call.results)
        lines.append(" ".join([*fields, "->", results] if results else [*fields, "->"]))
    head = ["gpuos-aten 1"]
    head += [f"storage {number} {sizes[number]} {roles[number]}" for number in storages]
    for place, number in tensors.items():
        shape = ",".join(map(str, place.sizes))
        strides = ",".join(map(str, place.strides))
        dtype = DTYPES.get(place.dtype, "none")
        # Without elements it may be anywhere.
        offset = place.offset if all(place.sizes) else 0
        head.append(f"tensor {number} {place.storage} {dtype} {offset} [{shape}] [{strides}]")
    addressed = [number for number in storages if roles[number] != "temporary"]
    return "\n".join(head + lines) + "\n", addressed


def _kind(kind):
    while kind.kind() in ("OptionalType", "ListType"):
        kind = kind.getElementType()
    return kind.kind()


def _unknown(given):
    return "?" + "".join(c if c.isalnum() or c in "._:" else "_" for c in repr(given))
