"""What a function can see besides its arguments, and how it is guarded.

Everything reachable from the function is walked: closure, defaults, the globals it names, `self`,
containers, and the attributes of objects. A snapshot holds each link as container, key and value.
A trace counts only if the snapshot after the call equals that before, except for gradients (`grad`)
that are tensors made inside, which a replay makes anew. Later calls check each link.
"""

import types

import torch

from gpuos.trace import Refused

_SCALARS = (int, float, bool, str, bytes, complex, type(None))
_MOST = 20000
# Classes, modules and the insides of PyTorch and Python are taken to stay as they are.
_FIXED_MODULES = ("torch", "builtins", "functools", "typing", "collections", "re", "numpy", "gpuos")
_NO_LINK = object()


class Snapshot:
    """Links, and the tensors found.

    `links` are triples of a kind, a container and what it holds; `tensors` lists each tensor once.
    """

    def __init__(self, roots):
        self.links = []
        self.tensors = []
        self._seen = set()
        self._kept = []
        stack = list(roots)
        while stack:
            self._visit(stack.pop(), stack)
            if len(self._seen) > _MOST:
                raise Refused(f"too much state to guard: objects={_MOST}")
        self.facts = [facts(tensor) for tensor in self.tensors]

    def _visit(self, value, stack):
        if isinstance(value, _SCALARS) or id(value) in self._seen:
            return
        self._seen.add(id(value))
        self._kept.append(value)
        if isinstance(value, torch.Tensor):
            if type(value) not in (torch.Tensor, torch.nn.Parameter):
                raise Refused(f"a subclass of Tensor: type={type(value).__name__}")
            self.tensors.append(value)
        elif type(value).__module__ == "numpy":
            raise Refused(f"an array of NumPy in reach, which cannot be guarded: {type(value).__name__}")
        elif isinstance(value, types.FunctionType):
            self._function(value, stack)
        elif isinstance(value, types.MethodType):
            stack += [value.__func__, value.__self__]
        elif isinstance(value, dict):
            self._link("dict", value, list(value.items()))
            stack += value.values()
            stack += [key for key in value if isinstance(key, torch.Tensor)]
        elif isinstance(value, (list, tuple, set, frozenset)):
            self._link("items", value, list(value))
            stack += value
        elif _is_walked(value):
            held = getattr(value, "__dict__", None)
            if held is not None:
                self._link("dict", held, list(held.items()))
                stack += held.values()
            wrapped = getattr(value, "__wrapped__", None)
            if wrapped is not None:
                stack.append(wrapped)
            for name in ("func", "args", "keywords"):
                if type(value).__name__ == "partial":
                    stack.append(getattr(value, name))

    def _function(self, function, stack):
        if _is_fixed(function.__module__):
            # Decorators of libraries: only what they wrap is of interest.
            stack += [cell.cell_contents for cell in function.__closure__ or () if _filled(cell)]
            return
        for cell in function.__closure__ or ():
            content = cell.cell_contents if _filled(cell) else _NO_LINK
            self._link("cell", cell, content)
            stack.append(content)
        stack += function.__defaults__ or ()
        stack += (function.__kwdefaults__ or {}).values()
        names = _names(function.__code__)
        for name in names:
            if name in function.__globals__:
                held = function.__globals__[name]
                self._link("global", (function.__globals__, name), held)
                stack.append(held)
                if isinstance(held, types.ModuleType) and not _is_fixed(held.__name__):
                    self._module(held, names, stack)

    def _module(self, module, names, stack):
        for name in names:
            if name in module.__dict__:
                self._link("global", (module.__dict__, name), module.__dict__[name])
                stack.append(module.__dict__[name])

    def _link(self, kind, container, held):
        self.links.append((kind, container, held))

    def holds(self):
        """Whether everything is as it was, gradients aside."""
        return all(is_same(*link) for link in self.links) and all(
            same_facts(facts(tensor), fact) for tensor, fact in zip(self.tensors, self.facts)
        )


def facts(tensor):
    """What must not change of a tensor that is used again: memory, form and role in autograd."""
    return (
        _memory(tensor) if tensor.layout == torch.strided else 0,
        tensor.dtype,
        tensor.storage_offset() if tensor.layout == torch.strided else 0,
        tuple(tensor.size()),
        tuple(tensor.stride()) if tensor.layout == torch.strided else (),
        tensor.requires_grad,
        tensor.grad_fn is None,
        bool(tensor._backward_hooks),
    )


def _memory(tensor):
    storage = tensor.untyped_storage()
    return storage._cdata, storage.nbytes(), tensor.is_neg()


def same_facts(one, other):
    return one == other


def is_same(kind, container, held):
    """Whether a container still holds what a link says."""
    if kind == "cell":
        return _equal(container.cell_contents if _filled(container) else _NO_LINK, held)
    if kind == "global":
        return _equal(container[0].get(container[1], _NO_LINK), held)
    if len(container) != len(held):
        return False
    if kind == "dict":
        return all(
            key is old_key and _equal(value, old) if isinstance(key, torch.Tensor)
            else key == old_key and _equal(value, old)
            for (key, value), (old_key, old) in zip(container.items(), held)
        )
    return all(_equal(value, old) for value, old in zip(container, held))


def _equal(value, old):
    if value is old:
        return True
    # By text: -0.0 equals 0.0, and nan does not equal itself.
    return isinstance(old, _SCALARS) and type(value) is type(old) and repr(value) == repr(old)


def _is_walked(value):
    if isinstance(value, (type, types.ModuleType, types.BuiltinFunctionType, types.CodeType)):
        return False
    if isinstance(value, (torch.nn.Module, torch.optim.Optimizer)):
        return True
    return type(value).__name__ == "partial" or not _is_fixed(type(value).__module__)


def _is_fixed(module):
    return (module or "").split(".")[0] in _FIXED_MODULES


def _filled(cell):
    try:
        cell.cell_contents
    except ValueError:
        return False
    return True


def _names(code):
    """Names of globals that a function and those inside of it may use."""
    names = list(code.co_names)
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            names += _names(constant)
    return names
