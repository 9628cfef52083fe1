"""What is known of a call by its signature: whether it can wait for others, and what it returns.

A form is learnt from PyTorch itself: the first call of a signature runs there, and what comes back
says which tensors such a call makes, with which strides. Later calls get tensors like these at once.
Thread-safe: forms are immutable, and the table of them is only added to.
"""

import torch
from torch.utils._pytree import tree_flatten, tree_leaves, tree_map, tree_unflatten

from gpuos import plan
from gpuos.errors import GpuosError
from gpuos.state import facts
from gpuos.trace import (
    _EMPTY,
    _MOVES,
    _READS_HOST,
    DTYPES,
    Call,
    Memory,
    Place,
    Refused,
    _written,
    check_kind,
)

# Forms that are kept; a program that meets ever new shapes does not grow.
_MOST = 20000

_TENSORS = (torch.Tensor, torch.nn.Parameter)
_PLAIN = (int, bool, str, type(None), torch.dtype, torch.device, torch.layout, torch.memory_format)

# Names of arguments whose values PyTorch checks on the CPU: a batch would find errors too late.
_INDICES = {"index", "indices", "target", "batch1_indices"}
_CHECKS_VALUES = {"aten::binary_cross_entropy", "aten::binary_cross_entropy_backward"}
_DIVIDES = {"aten::div", "aten::div_", "aten::divide", "aten::floor_divide", "aten::floor_divide_"}
_DIVIDES |= {"aten::remainder", "aten::remainder_", "aten::fmod", "aten::fmod_"}


class Kind:
    """What an operator is, whatever its arguments; made once for each."""

    def __init__(self, function):
        if not isinstance(function, torch._ops.OpOverload):
            self.aten = self.quiet = self.view = self.decomposes = self.mutable = False
            self.reason = "an operator of operators"
            return
        schema = function._schema
        self.aten = function.namespace == "aten"
        self.quiet = function.namespace in ("profiler", "prim") or schema.name in _EMPTY
        self.view = _is_view(schema) or schema.name == "aten::_unsafe_view"
        self.decomposes = function._can_decompose()
        self.mutable = schema.is_mutable
        self.reason = _never(function)


def _is_view(schema):
    """Whether all results are what is in memory already, and none of it is written."""
    infos = [result.alias_info for result in schema.returns]
    return bool(infos) and not schema.is_mutable and all(info is not None for info in infos)


def _never(function):
    name = function._schema.name
    if not name.startswith(("aten::", "gpuos::")):
        return "not an operator of ATen, nor one that was injected"
    if name in _READS_HOST or torch.Tag.data_dependent_output in function.tags:
        return "a value is read on the host"
    if torch.Tag.dynamic_output_shape in function.tags:
        return "the shape of a result depends on values"
    if name in _MOVES:
        return "a tensor is given other memory"
    if torch.Tag.nondeterministic_seeded in function.tags:
        return "random numbers"
    return None


class Signature:
    """`key` says all of a call but where its memory lies; `tensors` are its tensors in order.

    Raises Refused for arguments that are not known here.
    """

    __slots__ = ("key", "tensors")

    def __init__(self, function, args, kwargs):
        self.tensors = []
        key = [function, torch.get_default_dtype()]
        self._sequence(args, key)
        if kwargs:
            for name in sorted(kwargs):
                key.append(name)
                self._sequence((kwargs[name],), key)
        self.key = tuple(key)

    def _sequence(self, values, key):
        for value in values:
            kind = type(value)
            if kind in _TENSORS:
                if value.layout is not torch.strided or value.is_nested:
                    raise Refused("a tensor that is not strided")
                if value.is_neg() or value._is_zerotensor():
                    raise Refused("a tensor whose memory does not hold its values")
                key += (value.dtype, value.device, value.size(), value.stride())
                self.tensors.append(value)
            elif kind is float:
                # By text: -0.0 equals 0.0, and nan does not equal itself.
                key += (kind, repr(value))
            elif kind in _PLAIN:
                key += (kind, value)
            elif kind in (list, tuple, torch.Size):
                key += (kind, len(value))
                self._sequence(value, key)
            else:
                raise Refused(f"an argument of type {kind.__name__}")


class Form:
    """What calls of one signature do.

    Attributes:
        reason: why they run in PyTorch at once, or None for those that can wait
        number: of its own, for keys
        fresh: for each tensor made: sizes, strides, dtype, device and number of bytes
    """

    _count = 0

    def __init__(self, function, reason):
        self.function = function
        self.reason = reason
        self.fresh = []
        self.device = None
        # Part and place of a result that is one tensor.
        self.only = None
        Form._count += 1
        self.number = Form._count

    def results(self, made, tensors):
        """What a call returns, of tensors made for it and of those it was given."""
        if self.only is not None:
            new, k = self.only
            return (made if new else tensors)[k]
        values = [None if k is None else (made if new else tensors)[k] for new, k in self.parts]
        return tree_unflatten(values, self.spec)

    def call(self, numbers, offsets, made):
        """The call with its tensors as places.

        Args:
            numbers: the storages of its tensors, in order
            offsets: where in them, in elements
            made: the storages of those it makes
        """
        places = [
            _place(number, offset, form)
            for number, offset, form in zip(numbers, offsets, self.given, strict=True)
        ]
        fresh = [_place(n, 0, (d, s, t)) for n, (s, t, d, *_) in zip(made, self.fresh, strict=True)]
        put = lambda value: places[value.index] if isinstance(value, _Slot) else value
        results = [None if k is None else (fresh if new else places)[k] for new, k in self.parts]
        results = results if self.function._schema.returns else []
        call = Call(self.function, tree_map(put, self.args), tree_map(put, self.kwargs), results)
        call.made = set(made)
        call.written = call.made | _written(self.function, call.args, call.kwargs)
        return call

    def describe(self, args, kwargs, tensors, result):
        """Keeps what the first call got and gave.

        Raises Refused if tensors like those it returned cannot be made beforehand.
        """
        counter = iter(range(len(tensors)))
        mark = lambda value: _Slot(next(counter)) if isinstance(value, torch.Tensor) else value
        # In the order of signatures.
        self.args = _map(mark, args)
        self.kwargs = {name: _map(mark, kwargs[name]) for name in sorted(kwargs)}
        self.given = [(t.dtype, tuple(t.size()), tuple(t.stride())) for t in tensors]
        flat, self.spec = tree_flatten(result)
        self.parts = [self._part(value, tensors) for value in flat]
        if isinstance(result, torch.Tensor):
            (self.only,) = self.parts
        storages = {_storage(tensor) for tensor in tensors}
        made = [_storage(value) for value, (new, k) in zip(flat, self.parts) if new and k is not None]
        if len(set(made)) != len(made) or storages.intersection(made):
            raise Refused("results that share memory")

    def _part(self, value, tensors):
        if value is None:
            return True, None
        if not isinstance(value, torch.Tensor):
            raise Refused("a value is read on the host")
        for k, tensor in enumerate(tensors):
            if tensor is value:
                return False, k
        check_kind(value)
        spec = (tuple(value.size()), tuple(value.stride()), value.dtype, value.device)
        size = value.untyped_storage().nbytes()
        twin = torch.empty_strided(*spec[:2], dtype=value.dtype, device="meta")
        if value.storage_offset() != 0 or size != twin.untyped_storage().nbytes():
            raise Refused("a result that is a part of its memory")
        self.fresh.append((*spec, size))
        return True, len(self.fresh) - 1


class _Slot:
    """Stands for a tensor among arguments."""

    def __init__(self, index):
        self.index = index


def _map(change, value):
    if isinstance(value, (list, tuple)):
        return [_map(change, item) for item in value]
    return change(value)


def _storage(tensor):
    return tensor.untyped_storage()._cdata


def _place(number, offset, form):
    place = Place.__new__(Place)
    place.storage, place.offset = number, offset
    place.dtype, place.sizes, place.strides = form
    return place


class Forms:
    """The table of forms."""

    def __init__(self):
        self._kinds = {}
        self._forms = {}

    def kind(self, function):
        kind = self._kinds.get(function)
        if kind is None:
            kind = self._kinds[function] = Kind(function)
        return kind

    def get(self, key):
        return self._forms.get(key)

    def learn(self, signature, function, args, kwargs):
        """Runs a call in PyTorch and keeps its form; returns form and result."""
        tensors = signature.tensors
        before = [facts(tensor) for tensor in tensors]
        result = function(*args, **kwargs)
        form = Form(function, None)
        try:
            _require_unchecked(function, args, kwargs, tensors)
            if [facts(tensor) for tensor in tensors] != before:
                raise Refused("a tensor is given other memory")
            for tensor in tensors:
                check_kind(tensor)
            form.describe(args, kwargs, tensors, result)
            form.reason = _judge(form, tensors)
        except (Refused, GpuosError) as refused:
            form.reason = str(refused)
        if len(self._forms) >= _MOST:
            self._forms.clear()
        self._forms[signature.key] = form
        return form, result


def _judge(form, tensors):
    """Why a call of this form is not native, by the same judge as that of recordings."""
    if not tensors and not form.fresh:
        return "no tensors"
    memory = Memory()
    numbers = [memory.number(tensor) for tensor in tensors]
    made = []
    for sizes, strides, dtype, device, _ in form.fresh:
        made.append(memory.number(torch.empty_strided(sizes, strides, dtype=dtype, device=device), True))
    call = form.call(numbers, [tensor.storage_offset() for tensor in tensors], made)
    if any(place.dtype not in DTYPES for place in call.places + [p for p in call.results if p]):
        return "a dtype without native form"
    plan.judge([call], memory)
    form.device = memory.devices[0]
    return call.reason


def _require_unchecked(function, args, kwargs, tensors):
    """PyTorch raises errors for values of some operators on the CPU, and a batch would not."""
    if all(tensor.device.type != "cpu" for tensor in tensors):
        return
    schema = function._schema
    name = schema.name
    whole = lambda value: isinstance(value, torch.Tensor) and not value.is_floating_point()
    for k, argument in enumerate(schema.arguments):
        value = args[k] if k < len(args) else kwargs.get(argument.name)
        if argument.name in _INDICES and any(whole(item) for item in tree_flatten(value)[0]):
            raise Refused("indices, which PyTorch checks")
    if name in _CHECKS_VALUES or name in _DIVIDES and all(whole(tensor) for tensor in tensors):
        raise Refused("values that PyTorch checks")


FORMS = Forms()


def signature_of(kind, function, args, kwargs):
    """The signature of a call; raises Refused where it has none."""
    try:
        signature = Signature(function, args, kwargs)
    except RuntimeError:
        raise Refused("a tensor without sizes or strides") from None
    if kind.mutable and len(signature.tensors) > 1:
        signature.key += _relations(signature.tensors)
    return signature


def has_tensors(args, kwargs):
    """Whether a call is given any."""
    return any(isinstance(leaf, torch.Tensor) for leaf in tree_leaves((args, kwargs)))


def _relations(tensors):
    """How the memory of a call's tensors overlaps, as far as it matters where one is written."""
    storages = [tensor.untyped_storage()._cdata for tensor in tensors]
    if len(set(storages)) == len(storages):
        return ()
    first = {}
    return tuple(
        (first.setdefault(storage, k), tensor.storage_offset())
        for k, (storage, tensor) in enumerate(zip(storages, tensors))
    )
