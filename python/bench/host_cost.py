"""What replays and scopes cost the host, without the JVM's part: guards, addresses, results.

    python bench/host_cost.py

Times are of the thread's own clock, so that other work on the machine counts little. The program's
call goes to a function of the C library that returns 0 at once.
"""

import ctypes
import time

import torch

import gpuos
from gpuos import _bridge

ROUNDS, CALLS = 60, 2000


def cost(call):
    """Microseconds of a call: of the best round, and of the middle one."""
    times = []
    for _ in range(ROUNDS):
        begun = time.thread_time_ns()
        for _ in range(CALLS):
            call()
        times.append((time.thread_time_ns() - begun) / CALLS / 1000)
    times.sort()
    return f"{times[0]:8.2f} {times[len(times) // 2]:8.2f}"


def total(*tensors):
    result = tensors[0]
    for tensor in tensors[1:]:
        result = result + tensor
    return result


def in_scope(tensors):
    """Independent additions in one scope, whose results are not kept."""
    with gpuos.dispatch():
        for k in range(CALLS):
            torch.add(tensors[k % 10], tensors[k % 7])


def each(total_of):
    """Microseconds of one of the calls that a function makes."""
    times = []
    for _ in range(ROUNDS // 2):
        begun = time.thread_time_ns()
        total_of()
        times.append((time.thread_time_ns() - begun) / CALLS / 1000)
    times.sort()
    return f"{times[0]:8.2f} {times[len(times) // 2]:8.2f}"


def empty_scope():
    with gpuos.dispatch():
        pass


def without_jvm():
    """Lets replays call isalpha, which is 0 for the small number of a program."""
    function = ctypes.CDLL(None).isalpha
    address = ctypes.cast(function, ctypes.c_void_p).value
    kind = ctypes.CFUNCTYPE(ctypes.c_int64, *[ctypes.c_int64] * 4)
    _bridge._load()["replay"] = kind(address)
    _bridge.address = lambda name: address


def main():
    torch.set_num_threads(1)
    tensors = [torch.randn(4, 64) for _ in range(10)]
    model = torch.nn.Sequential(*[torch.nn.Linear(8, 8) for _ in range(20)])
    x = torch.randn(2, 8)
    without_jvm()
    print(f"us, best and middle of {ROUNDS} rounds; torch {torch.__version__}")
    with torch.no_grad():
        compiled, module = gpuos.compile(total), gpuos.compile(model)
        compiled(*tensors), module(x)
        print(f"replay, ten tensors           {cost(lambda: compiled(*tensors))}")
        print(f"replay, 20 linear layers      {cost(lambda: module(x))}")
        small = [torch.randn(256) for _ in range(10)]
        in_scope(small), in_scope(small), in_scope(small)
        print(f"scope, an addition            {each(lambda: in_scope(small))}")
        print(f"scope, empty                  {cost(empty_scope)}")
        print(f"eager addition                {cost(lambda: torch.add(tensors[0], tensors[1]))}")
        print(f"eager empty                   {cost(lambda: torch.empty(4, 64))}")


if __name__ == "__main__":
    main()
