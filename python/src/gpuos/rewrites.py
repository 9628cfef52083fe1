"""What PyTorch computes in another of its own ways while a function is recorded.

    Adam, AdamW   by the fused operators: the other forms read the number of steps on the host, so
                  a replay would repeat the first step's correction
    LSTM          by its cells: the layer of oneDNN is one opaque operator

For the thread that records only, and as long as it does.
"""

import contextlib
import importlib
import threading

import torch

# Module, functions that are replaced, and the function of the same arguments in their place.
_STEPS = (
    ("torch.optim.adam", ("_single_tensor_adam", "_multi_tensor_adam"), "_fused_adam"),
    ("torch.optim.adamw", ("_single_tensor_adamw", "_multi_tensor_adamw"), "_fused_adamw"),
)
_lock = threading.RLock()
_here = threading.local()
_state = {"depth": 0, "undo": None}


@contextlib.contextmanager
def recordable():
    """While it is entered, the calling thread computes as said above."""
    with _lock:
        if _state["depth"] == 0:
            _state["undo"] = _replace()
        _state["depth"] += 1
    _here.depth = getattr(_here, "depth", 0) + 1
    try:
        yield
    finally:
        _here.depth -= 1
        with _lock:
            _state["depth"] -= 1
            if _state["depth"] == 0:
                _state["undo"].close()


def _replace():
    undo = contextlib.ExitStack()
    for name, replaced, fused in _STEPS:
        module = importlib.import_module(name)
        for function in replaced:
            original = getattr(module, function, None)
            if original is not None and hasattr(module, fused):
                setattr(module, function, _fused(original, getattr(module, fused)))
                undo.callback(setattr, module, function, original)
    # Asks for the LSTM by cells; other threads are slower meanwhile, and as right.
    enabled = torch._C._get_mkldnn_enabled()
    torch._C._set_mkldnn_enabled(False)
    undo.callback(torch._C._set_mkldnn_enabled, enabled)
    return undo


def _fused(original, fused):
    def step(params, grads, *lists, grad_scale=None, found_inf=None, **options):
        chosen = original
        tensors = [*params, *grads, *(tensor for given in lists for tensor in given or ())]
        if getattr(_here, "depth", 0) and _fits(params, tensors, options):
            chosen = fused
        return chosen(params, grads, *lists, grad_scale=grad_scale, found_inf=found_inf, **options)

    def positional(params, grads, exp_avgs, exp_avg_sqs, max_exp_avg_sqs, state_steps, *scales, **options):
        lists = (exp_avgs, exp_avg_sqs, max_exp_avg_sqs, state_steps)
        scales = dict(zip(("grad_scale", "found_inf"), scales))
        return step(params, grads, *lists, **scales, **options)

    return positional


def _fits(params, tensors, options):
    """Whether the fused operator has this step."""
    return (
        bool(params)
        and not options.get("differentiable")
        and not options.get("has_complex")
        and not any(isinstance(options.get(beta), torch.Tensor) for beta in ("beta1", "beta2"))
        and all(tensor.device == params[0].device for tensor in tensors)
        and all(tensor.is_floating_point() and tensor.layout == torch.strided for tensor in tensors)
    )
