"""What a function can see besides its arguments, and how it is guarded.

Everything reachable from the function is walked: closure, defaults, the globals and modules it names,
`self`, containers, the attributes of objects and of their classes, and the methods whose names occur
in what was walked. A snapshot holds each link as container, key and value.
A trace counts only if the snapshot after the call equals that before, except for gradients (`grad`)
that are tensors made inside, which a replay makes anew. Later calls check each link.
"""

import array
import collections
import collections.abc
import contextvars
import sys
import types

import torch

from gpuos.trace import Refused

_SCALARS = (int, float, bool, str, bytes, complex, type(None))
_MOST = 20000
# Methods that nobody calls by name; the others with such names run at making, printing and copying.
_NOT_IMPLIED = {"__init__", "__new__", "__repr__", "__str__", "__reduce__", "__reduce_ex__", "__init_subclass__"}
_ENTRIES = {"forward", "__call__"}
# Their place or contents change without a trace that could be compared.
_UNSEEN = (collections.abc.Iterator, bytearray, memoryview, array.array, contextvars.ContextVar)
# The insides of PyTorch and Python are taken to stay as they are.
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
        self._classes = []
        self._used = set(_ENTRIES)
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
            if value.__dict__:
                self._attributes(value.__dict__, stack)
        elif isinstance(value, _UNSEEN) and type(value).__module__ != "torch":
            raise Refused(f"a {type(value).__name__} in reach, whose state cannot be compared")
        elif type(value).__module__ == "numpy":
            raise Refused(f"an array of NumPy in reach, which cannot be guarded: {type(value).__name__}")
        elif isinstance(value, types.FunctionType):
            self._function(value, stack)
        elif isinstance(value, types.MethodType):
            stack += [value.__func__, value.__self__]
        elif isinstance(value, type):
            self._class(value, stack)
        elif isinstance(value, (dict, types.MappingProxyType)):
            self._link("dict", value, list(value.items()))
            stack += value.values()
            stack += [key for key in value if isinstance(key, torch.Tensor)]
        elif isinstance(value, (list, tuple, set, frozenset, collections.deque)):
            self._link("items", value, list(value))
            stack += value
        elif isinstance(value, (collections.UserDict, collections.UserList)):
            self._attributes(value.__dict__, stack)
        elif _is_walked(value):
            self._object(value, stack)

    def _object(self, value, stack):
        held = getattr(value, "__dict__", None)
        if held is not None:
            self._attributes(held, stack)
        wrapped = getattr(value, "__wrapped__", None)
        if wrapped is not None:
            stack.append(wrapped)
        if type(value).__name__ == "partial":
            stack += [value.func, value.args, value.keywords]
        slots = [name for kind in type(value).__mro__ for name in _slots(kind)]
        if slots and not _is_fixed(type(value).__module__):
            slotted = _Slotted(value, slots)
            self._link("slots", slotted, slotted.values())
            stack += slotted.values()
        self._class(type(value), stack)

    def _attributes(self, held, stack):
        self._link("dict", held, list(held.items()))
        stack += held.values()

    def _class(self, kind, stack):
        """What instances find in their classes: attributes, and methods as far as they are used."""
        for base in kind.__mro__:
            if _is_fixed(base.__module__) or any(base is other for other, _ in self._classes):
                continue
            self._seen.add(id(base))
            self._kept.append(base)
            self._link("class", base, list(vars(base).items()))
            found = {name: _inner(value) for name, value in vars(base).items()}
            self._classes.append((base, found))
            stack += [value for name, value in found.items() if name in self._used or _is_implied(name, value)]

    def _use(self, names, stack):
        new = set(names) - self._used
        self._used |= new
        for _, found in self._classes:
            stack += [found[name] for name in new if name in found]

    def _function(self, function, stack):
        if _is_fixed(function.__module__):
            # Decorators of libraries: only what they wrap is of interest.
            stack += [cell.cell_contents for cell in function.__closure__ or () if _filled(cell)]
            return
        for cell in function.__closure__ or ():
            content = cell.cell_contents if _filled(cell) else _NO_LINK
            self._link("cell", cell, content)
            stack.append(content)
        if function.__defaults__ or function.__kwdefaults__:
            self._link("function", function, _defaults(function))
            stack += _defaults(function)
        self._attributes(function.__dict__, stack)
        names = _names(function.__code__)
        self._use(names, stack)
        for name in names:
            imported = sys.modules.get(name)
            if imported is not None and name not in function.__globals__ and not _is_fixed(name):
                self._module(imported, names, stack)
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
    if kind == "function":
        container = _defaults(container)
    elif kind == "slots":
        container = container.values()
    elif kind == "class":
        container, kind = vars(container), "dict"
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
    return type(old) in _SCALARS and type(value) is type(old) and repr(value) == repr(old)


def _is_walked(value):
    if isinstance(value, (types.ModuleType, types.BuiltinFunctionType, types.CodeType)):
        return False
    if isinstance(value, (torch.nn.Module, torch.optim.Optimizer)):
        return True
    return type(value).__name__ == "partial" or not _is_fixed(type(value).__module__)


def _is_fixed(module):
    return (module or "").split(".")[0] in _FIXED_MODULES


def _inner(value):
    """What a class calls when the attribute is used."""
    for name in ("__func__", "fget", "func"):
        if isinstance(getattr(value, name, None), types.FunctionType):
            return getattr(value, name)
    return value


def _is_implied(name, value):
    """Whether Python calls it without naming it, or it is no function but a value."""
    if not isinstance(value, types.FunctionType):
        return isinstance(value, (torch.Tensor, list, dict, set, collections.deque)) and not name.startswith("__")
    return name.startswith("__") and name.endswith("__") and name not in _NOT_IMPLIED


def _defaults(function):
    return [*(function.__defaults__ or ()), *(function.__kwdefaults__ or {}).values()]


def _slots(kind):
    slots = vars(kind).get("__slots__", ())
    names = [slots] if isinstance(slots, str) else list(slots)
    return [name for name in names if name not in ("__dict__", "__weakref__")]


class _Slotted:
    """The slots of an object."""

    def __init__(self, value, names):
        self.value = value
        self.names = names

    def values(self):
        return [getattr(self.value, name, _NO_LINK) for name in self.names]


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
