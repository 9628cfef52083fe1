"""What a function calls while it runs eagerly, noted below autograd by a TorchDispatchMode.

A storage is one allocation. Views, in-place updates and `out=` need no treatment of their own: a
view is another place in the same storage, and an in-place result is the argument. All storages are
kept alive while tracing, so an address never stands for two of them.
"""

import torch
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode, _disable_current_modes
from torch.utils._pytree import tree_flatten, tree_map

DTYPES = {
    torch.float64: "f64",
    torch.float32: "f32",
    torch.float16: "f16",
    torch.bfloat16: "bf16",
    torch.int64: "i64",
    torch.int32: "i32",
    torch.int16: "i16",
    torch.int8: "i8",
    torch.uint8: "u8",
    torch.bool: "bool",
}

# They read values on the host, so what Python does next may depend on them.
_READS_HOST = {
    "aten::_local_scalar_dense",
    "aten::is_nonzero",
    "aten::equal",
    "aten::allclose",
    "aten::item",
    "aten::_pack_padded_sequence",
}
# They read tensors beside the first argument on the host, and no dispatch sees it.
_READS_OTHERS = {"tensor_split"}
# They give a tensor other memory.
_MOVES = {"aten::set_", "aten::resize_", "aten::resize_as_", "aten::set_data", "aten::_resize_output_"}
# They allocate and write nothing.
_EMPTY = {
    "aten::empty",
    "aten::empty_like",
    "aten::empty_strided",
    "aten::new_empty",
    "aten::new_empty_strided",
    "aten::empty_permuted",
}
_INDEX = {"aten::index", "aten::_unsafe_index"}
# They give sizes beside tensors.
_GIVE_SIZES = {
    "aten::_scaled_dot_product_flash_attention",
    "aten::_scaled_dot_product_cudnn_attention",
}
# They change how one tensor lies in its memory, which the places of later calls tell.
_TURNS = {
    "aten::squeeze_",
    "aten::unsqueeze_",
    "aten::t_",
    "aten::transpose_",
    "aten::swapaxes_",
    "aten::swapdims_",
    "aten::as_strided_",
    "aten::detach_",
}
# Ways to a tensor's memory, or values, that no dispatch sees.
_ESCAPES = {
    "numpy",
    "tolist",
    "item",
    "__array__",
    "__dlpack__",
    "data_ptr",
    "untyped_storage",
    "storage",
    "_typed_storage",
    "share_memory_",
    "record_stream",
    "register_hook",
    "retain_grad",
    "__bool__",
    "__float__",
    "__int__",
    "__index__",
    "__complex__",
    "__contains__",
}


class Refused(Exception):
    """The function, or this call of it, cannot be replayed; the message says why."""


class Place:
    """Where a tensor lies: number of a storage, dtype, offset, sizes and strides in elements."""

    __slots__ = ("storage", "dtype", "offset", "sizes", "strides")

    def __init__(self, storage, tensor):
        self.storage = storage
        self.dtype = tensor.dtype
        self.offset = tensor.storage_offset()
        self.sizes = tuple(tensor.size())
        self.strides = tuple(tensor.stride())

    @property
    def key(self):
        return (self.storage, self.dtype, self.offset, self.sizes, self.strides)

    def __eq__(self, other):
        return isinstance(other, Place) and self.key == other.key

    def __hash__(self):
        return hash(self.key)

    def on(self, storage):
        """A tensor at this place of a live storage."""
        tensor = torch.empty(0, dtype=self.dtype, device=storage.device)
        return tensor.set_(storage, self.offset, self.sizes, self.strides)


class Call:
    """One call that computes. Tensors in `args` and `kwargs` are places.

    `results` are places or None, `made` the storages it allocates, `written` those it writes.
    `reason` says why it cannot be native, as far as this side knows.
    """

    def __init__(self, function, args, kwargs, results):
        self.function = function
        self.args = args
        self.kwargs = kwargs
        self.results = results
        self.made = set()
        self.written = set()
        self.reason = None

    @property
    def places(self):
        leaves = tree_flatten((self.args, self.kwargs))[0]
        return [leaf for leaf in leaves if isinstance(leaf, Place)]


class Memory:
    """Numbers storages."""

    def __init__(self):
        self.numbers = {}
        self.storages = []
        self.made = set()
        self.constants = set()
        self.devices = []

    def number(self, tensor, made=False):
        storage = tensor.untyped_storage()
        number = self.numbers.get(storage._cdata)
        if number is None:
            number = self.numbers[storage._cdata] = len(self.storages)
            self.storages.append(storage)
            self.devices.append(storage.device)
            if made:
                self.made.add(number)
        return number

    def knows(self, tensor):
        return tensor.untyped_storage()._cdata in self.numbers


def random_states():
    """Those of the default generators: the CPU's, and the GPUs' once they are in use."""
    gpus = torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else []
    return [torch.get_rng_state(), *gpus]


def check_kind(tensor):
    """Refuses tensors that are more than strided memory."""
    if type(tensor) not in (torch.Tensor, torch.nn.Parameter):
        raise Refused(f"a subclass of Tensor: type={type(tensor).__name__}")
    if tensor.layout != torch.strided or tensor.is_quantized or tensor.is_nested:
        raise Refused(f"a tensor that is not strided: layout={tensor.layout}")
    if tensor._is_zerotensor():
        raise Refused("a tensor of zeros without memory")
    if tensor.is_complex() or tensor.is_conj() or tensor.is_neg():
        raise Refused("a complex tensor")
    if tensor.device.type not in ("cpu", "cuda"):
        raise Refused(f"a tensor on another device: device={tensor.device}")


class Tracer(TorchDispatchMode):
    """Runs every call and notes it. `refusal` is the first reason why the trace is of no use."""

    def __init__(self):
        super().__init__()
        self.memory = Memory()
        self.calls = []
        self.refusal = None
        self._random = random_states()

    def refuse(self, reason):
        self.refusal = self.refusal or reason

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if func.namespace == "profiler":
            return func(*args, **kwargs)
        if self.refusal is None and func._can_decompose():
            with self:
                result = func.decompose(*args, **kwargs)
            if result is not NotImplemented:
                return result
        if self.refusal is not None:
            return func(*args, **kwargs)
        before = None
        try:
            before = self._before(func, types, args, kwargs)
        except Refused as refused:
            self.refuse(str(refused))
        seeded = _draws(func, args, kwargs)
        if seeded:
            self.check_random()
        result = func(*args, **kwargs)
        if seeded:
            self._random = random_states()
        if before is not None:
            try:
                self._note(func, before, result)
            except Refused as refused:
                self.refuse(str(refused))
        return result

    def writes(self, outs, begin):
        """Whether calls from the one of that number write to tensors, if that can be told."""
        if self.refusal is not None:
            return True
        numbers = [self.memory.number(out) for out in tree_flatten(outs)[0] if out.numel()]
        written = set().union(*(call.written for call in self.calls[begin:]))
        return not numbers or any(number in written for number in numbers)

    def check_random(self):
        """Refuses if the state of random numbers was set since the last call that draws some."""
        if not all(map(torch.equal, self._random, random_states())):
            self.refuse("the state of random numbers is set inside, which a replay would not")

    def _before(self, func, types, args, kwargs):
        name = func._schema.name
        if name in _READS_HOST or torch.Tag.data_dependent_output in func.tags:
            raise Refused(f"a value is read on the host: operator={name}")
        # An index of integers gives a result of its own shape; masks are refused below.
        if torch.Tag.dynamic_output_shape in func.tags and name not in _INDEX:
            raise Refused(f"the shape of a result depends on values: operator={name}")
        if name in _MOVES:
            raise Refused(f"a tensor is given other memory: operator={name}")
        leaves = [leaf for leaf in tree_flatten((args, kwargs))[0] if isinstance(leaf, torch.Tensor)]
        for leaf in leaves:
            check_kind(leaf)
        if name in _INDEX and any(leaf.dtype in (torch.bool, torch.uint8) for leaf in leaves[1:]):
            raise Refused(f"the shape of a result depends on values: operator={name} with a mask")
        for leaf in leaves:
            if name == "aten::lift_fresh" and not self.memory.knows(leaf):
                # Data of Python, such as torch.tensor([1, 2]).
                self.memory.constants.add(self.memory.number(leaf))
            self.memory.number(leaf)
        return tree_map(self._place, args), tree_map(self._place, kwargs)

    def _place(self, value):
        if isinstance(value, torch.Tensor):
            return Place(self.memory.number(value), value)
        return value

    def _note(self, func, before, result):
        args, kwargs = before
        results = [] if result is None else tree_flatten(result)[0] if isinstance(result, (tuple, list)) else [result]
        call = Call(func, args, kwargs, [])
        for value in results:
            if value is None:
                call.results.append(None)
                continue
            if type(value) is int and func._schema.name in _GIVE_SIZES:
                call.results.append(None)
                continue
            if not isinstance(value, torch.Tensor):
                raise Refused(f"a value is read on the host: operator={func._schema.name}")
            check_kind(value)
            fresh = not self.memory.knows(value)
            place = Place(self.memory.number(value, made=True), value)
            if fresh:
                call.made.add(place.storage)
            call.results.append(place)
        known = all(place is None or place.storage not in call.made for place in call.results)
        if known and (not func._schema.is_mutable or func._schema.name in _TURNS):
            return  # a view, or the argument itself
        call.written = call.made | _written(func, args, kwargs)
        if func._schema.name in _EMPTY:
            return
        if _draws(func, args, kwargs):
            call.reason = "random numbers"
        if any(place.dtype not in DTYPES for place in call.places + [r for r in call.results if r]):
            call.reason = "a dtype without native form"
        self.calls.append(call)


def _draws(func, args, kwargs):
    """Whether a call draws random numbers."""
    if torch.Tag.nondeterministic_seeded not in func.tags:
        return False
    for k, argument in enumerate(func._schema.arguments):
        if argument.name in ("dropout_p", "training", "train"):
            value = args[k] if k < len(args) else kwargs.get(argument.name, argument.default_value)
            return bool(value)
    return True


def _written(func, args, kwargs):
    written = set()
    for k, argument in enumerate(func._schema.arguments):
        if argument.alias_info is not None and argument.alias_info.is_write:
            value = args[k] if k < len(args) else kwargs.get(argument.name)
            written |= {leaf.storage for leaf in tree_flatten(value)[0] if isinstance(leaf, Place)}
    return written


class Watch(TorchFunctionMode):
    """Refuses a trace that reaches for a tensor's memory or values past the dispatcher."""

    def __init__(self, tracer):
        super().__init__()
        self.tracer = tracer

    def __torch_function__(self, func, types, args=(), kwargs=None):
        name = getattr(func, "__name__", "")
        owner = getattr(func, "__self__", None)
        others = tree_flatten((args[1:], kwargs))[0] if name in _READS_OTHERS else ()
        if any(isinstance(other, torch.Tensor) for other in others):
            self.tracer.refuse(f"a value is read on the host: call={name}")
        elif name in _ESCAPES:
            self.tracer.refuse(f"memory or values of a tensor leave PyTorch: call={name}")
        elif name == "__set__" and getattr(owner, "__name__", "") in ("data", "real", "imag"):
            self.tracer.refuse("a tensor is given other memory: call=data")
        kwargs = kwargs or {}
        begin = len(self.tracer.calls)
        result = func(*args, **kwargs)
        if kwargs.get("out") is not None and not self.tracer.writes(kwargs["out"], begin):
            # Some functions of PyTorch leave `out` as it is when something looks at their calls.
            self.tracer.refuse(f"`out` is not written while calls are noted: call={name}")
            with _disable_current_modes():
                result = func(*args, **kwargs)
        return result
