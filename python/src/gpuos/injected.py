"""`gpuos.inject`: operators of one's own, from an expression or CUDA C++, replaceable while in use.

Each is registered as a custom operator of torch.library, `gpuos::NAME`, so that autograd,
torch.compile and recordings know it. What it computes lies with the runtime, under the same name:
injecting again replaces it there, also in programs that were recorded before.
"""

import collections
import functools
import threading

import torch

from gpuos import _bridge, plan
from gpuos.errors import GpuosError, InvalidInputException
from gpuos.text import graph_text
from gpuos.trace import DTYPES, Call, Memory, Place

_TYPES = {name: dtype for dtype, name in DTYPES.items()}
# Programs of single calls, those used last.
_MOST = 256

_lock = threading.RLock()
_operators = {}
_programs = collections.OrderedDict()


def inject(name, expression=None, *, backward=None, cuda_source=None, signature=None):
    """Makes an operator, or replaces the one of that name; returns it, a callable on tensors.

        swish = gpuos.inject("swish2", "x*sigmoid(beta*x)")
        y = swish(x, 1.5)

    Inputs are passed in the order in which the expression names them first, or by name. They
    broadcast and convert as the expression language says; a number takes the type of the tensors it
    meets. A replacement has the same inputs and types of results.

    Args:
        name: a Python identifier; the operator is `torch.ops.gpuos.NAME` too
        expression: of the language of `./gpuos ops`: elementwise, or one reduction as the last step
        backward: gradients, expressions by name of an input, of the inputs and of `grad`, the
            gradient of the result; without it the operator is not differentiable
        cuda_source: instead of an expression CUDA C++ with a `__device__` function; it is compiled
            here, and needs tensors on a CUDA device to run
        signature: of that function, such as `f32 swish(f32 x, f32 beta)`
    """
    if not isinstance(name, str) or not name.isidentifier() or not name.isascii():
        raise ValueError(f"gpuos.inject: name={name!r}, expected=a name such as swish2")
    if (expression is None) == (cuda_source is None) or (cuda_source is None) != (signature is None):
        raise ValueError(
            "gpuos.inject: expected=an expression, or cuda_source and signature, and not both;"
            f" operator={name}"
        )
    gradients = dict(backward or {})
    if not all(isinstance(text, str) for text in gradients.values()):
        raise ValueError(f"gpuos.inject: backward={backward!r}, expected=expressions by name of an input")
    body = cuda_source if expression is None else expression
    with _lock:
        operator = _operators.get(name)
        if operator is None:
            operator = _make(name, body, signature or "")
            _give_gradients(operator, gradients)
        else:
            _replace(operator, body, signature or "", gradients)
        return operator


def _make(name, body, signature):
    """Injects one operator, without gradients of its own."""
    form, *inputs = _bridge.inject(name, body, signature)
    operator = _operators.get(name)
    if operator is None:
        operator = Operator(name, inputs, form == "elementwise")
        operator.register()
        _operators[name] = operator
    operator.definition = body
    return operator


def _replace(operator, body, signature, gradients):
    missing = sorted(set(operator.gradients) - set(gradients))
    if missing:
        raise InvalidInputException(
            f"gradients of a replacement: operator={operator.name}, missing={missing}, expected=those"
            " it has had, since recorded programs use them; inject it with backward="
        )
    before = {key: gradient.definition for key, gradient in operator.gradients.items()}
    try:
        _give_gradients(operator, gradients)
        _make(operator.name, body, signature)
    except GpuosError:
        for key, text in before.items():
            _make(f"{operator.name}_backward_{key}", text, "")
        operator.gradients = {key: operator.gradients[key] for key in before}
        raise


def _give_gradients(operator, gradients):
    """One operator for each, over all inputs and `grad`, so that whatever it needs it has."""
    names = [*operator.inputs, "grad"]
    unknown = sorted(set(gradients) - set(operator.inputs))
    if unknown or gradients and len(set(names)) < len(names):
        raise InvalidInputException(
            f"gradients of an injected operator: operator={operator.name}, names={sorted(gradients)},"
            f" inputs={operator.inputs}, expected=names of inputs, none of them grad"
        )
    made = {}
    for key, text in gradients.items():
        before, separator, last = text.rpartition(";")
        whole = f"{before}{separator} where(true, {last}, {' + '.join(names)})"
        made[key] = _make(f"{operator.name}_backward_{key}", whole, "")
        if set(made[key].inputs) != set(names):
            raise InvalidInputException(
                f"gradient of an injected operator: operator={operator.name}, gradient={text},"
                f" inputs={made[key].inputs}, expected=some of {names}"
            )
    operator.gradients = made


class Operator:
    """An injected operator. Made by `inject`.

    Attributes:
        inputs: names, in order
        definition: what it computes now: an expression or CUDA C++
    """

    def __init__(self, name, inputs, elementwise):
        self.name = name
        self.inputs = list(inputs)
        self.definition = None
        self.gradients = {}
        self._elementwise = elementwise

    def __call__(self, *args, **kwargs):
        return self._op(*self._tensors(args, kwargs))

    def __repr__(self):
        return f"gpuos operator {self.name}({', '.join(self.inputs)})"

    def _tensors(self, args, kwargs):
        given = dict(zip(self.inputs, args))
        if len(args) > len(self.inputs) or set(given) & set(kwargs):
            raise TypeError(f"{self.name}: arguments={len(args)} and {sorted(kwargs)}, expected={self.inputs}")
        given.update(kwargs)
        if set(given) != set(self.inputs):
            raise TypeError(f"{self.name}: arguments={sorted(given)}, expected={self.inputs}")
        values = [given[name] for name in self.inputs]
        tensors = [value for value in values if isinstance(value, torch.Tensor)]
        if not tensors:
            raise TypeError(f"{self.name}: arguments={values}, expected=at least one tensor")
        whole = [tensor.dtype for tensor in tensors if tensor.dim()] or [t.dtype for t in tensors]
        common = functools.reduce(torch.promote_types, whole)
        device = next((t.device for t in tensors if t.dim()), tensors[0].device)
        for k, value in enumerate(values):
            if isinstance(value, (bool, int, float)):
                values[k] = torch.full((), value, dtype=_type(value, common), device=device)
            elif not isinstance(value, torch.Tensor):
                raise TypeError(f"{self.name}: {self.inputs[k]}={value!r}, expected=a tensor or number")
            elif not value.dim() and value.device != device:
                values[k] = value.to(device)
        return values

    # ---- as an operator of PyTorch

    def register(self):
        parameters = ", ".join(f"Tensor {name}" for name in self.inputs)
        definition = torch.library.custom_op(
            f"gpuos::{self.name}", self._run, mutates_args=(), schema=f"({parameters}) -> Tensor"
        )
        definition.register_fake(self._fake)
        definition.register_autograd(self._backward, setup_context=self._keep)
        self._op = getattr(torch.ops.gpuos, self.name).default

    def _run(self, *tensors):
        shape, dtype = self._result(tensors)
        out = torch.empty(shape, dtype=dtype, device=tensors[0].device)
        if not out.numel():
            return out
        # Memory of its own and as large as needed, so that one program serves all.
        tensors = [_whole(tensor) for tensor in tensors]
        memory = Memory()
        places = [Place(memory.number(tensor), tensor) for tensor in [*tensors, out]]
        key = (self.name, out.device, tuple(place.key for place in places))
        with _lock:
            found = _programs.get(key)
            if found is not None:
                _programs.move_to_end(key)
        if found is None:
            found = self._compile(memory, places, out.device)
            with _lock:
                _programs[key] = found
                if len(_programs) > _MOST:
                    _programs.popitem(last=False)
        program, addressed = found
        addresses = [memory.storages[number].data_ptr() for number in addressed]
        program.replay(addresses, plan.current_stream(out.device))
        return out

    def _compile(self, memory, places, device):
        call = Call(self._op, tuple(places[:-1]), {}, [places[-1]])
        roles = {place.storage: "input" for place in places[:-1]} | {places[-1].storage: "output"}
        sizes = [storage.nbytes() for storage in memory.storages]
        text, addressed = graph_text([(0, call)], roles, sizes, device)
        return _bridge.Program(str(device), text, "auto"), addressed

    def _fake(self, *tensors):
        shape, dtype = self._result(tensors)
        return tensors[0].new_empty(shape, dtype=dtype)

    def _result(self, tensors):
        """Shape and dtype of the result."""
        for tensor in tensors:
            if tensor.dtype not in DTYPES or tensor.layout != torch.strided:
                raise InvalidInputException(
                    f"tensor of an injected operator: operator={self.name}, dtype={tensor.dtype},"
                    f" layout={tensor.layout}, expected=strided, of one of {', '.join(DTYPES.values())}"
                )
            if tensor.device != tensors[0].device:
                raise InvalidInputException(
                    f"devices of an injected operator: operator={self.name}, devices="
                    f"{[str(tensor.device) for tensor in tensors]}, expected=one"
                )
        shapes = [tensor.shape for tensor in tensors]
        if self._elementwise:
            ones = [(1,) * tensor.dim() for tensor in tensors]
            return torch.broadcast_shapes(*shapes), self._infer(tensors, ones)[1]
        return self._infer(tensors, [tuple(int(size) for size in shape) for shape in shapes])

    def _infer(self, tensors, shapes):
        storage = torch.empty(0, dtype=torch.uint8)
        memory = Memory()
        number = memory.number(storage)
        places = []
        for tensor, shape in zip(tensors, shapes):
            place = Place.__new__(Place)
            place.storage, place.dtype, place.offset = number, tensor.dtype, 0
            place.sizes, place.strides = shape, (0,) * len(shape)
            places.append(place)
        call = Call(self._op, tuple(places), {}, [None])
        text, _ = graph_text([(0, call)], {number: "input"}, {number: 8}, storage.device)
        dtype, sizes = _bridge.infer(text).split(" ")
        return tuple(int(size) for size in sizes[1:-1].split(",") if size), _TYPES[dtype]

    @staticmethod
    def _keep(ctx, inputs, output):
        ctx.save_for_backward(*inputs)

    def _backward(self, ctx, grad):
        values = dict(zip(self.inputs, ctx.saved_tensors))
        values["grad"] = grad
        return tuple(
            self._gradient(name, values) if needed else None
            for name, needed in zip(self.inputs, ctx.needs_input_grad)
        )

    def _gradient(self, name, values):
        operator = self.gradients.get(name)
        if operator is None:
            raise GpuosError(
                f"gradient of an injected operator: operator={self.name}, input={name},"
                f" expected=one of {sorted(self.gradients)}; inject it with backward="
            )
        gradient = operator(*[values[key] for key in operator.inputs])
        gradient = gradient.expand(values["grad"].shape)
        return gradient.sum_to_size(values[name].shape).to(values[name].dtype)


def _type(number, common):
    """What a number is among tensors of a type."""
    if isinstance(number, bool) or common.is_floating_point:
        return common
    if isinstance(number, float):
        return torch.float32
    return torch.int64 if common == torch.bool else common


def _whole(tensor):
    """A tensor that begins where its memory does, and takes all of it."""
    if tensor.storage_offset() == 0 and not tensor.is_neg():
        extent = 1 + sum((size - 1) * stride for size, stride in zip(tensor.shape, tensor.stride()))
        if tensor.untyped_storage().nbytes() == extent * tensor.element_size():
            return tensor
    return tensor.contiguous().clone() if tensor.is_contiguous() else tensor.contiguous()
