"""NVIDIA's management library through ctypes: energy, clocks, power and who else uses the GPU."""

import ctypes

_LIBRARY = "libnvidia-ml.so.1"
_SM, _MEMORY = 1, 2


class Unavailable(Exception):
    """There is no such library, device or figure; the message says which."""


class _Process(ctypes.Structure):
    _fields_ = [
        ("pid", ctypes.c_uint),
        ("memory", ctypes.c_ulonglong),
        ("gpu_instance", ctypes.c_uint),
        ("compute_instance", ctypes.c_uint),
    ]


class Gpu:
    """One GPU, by the UUID that CUDA tells, or by its index where it tells none."""

    def __init__(self, uuid, index):
        try:
            self._library = ctypes.CDLL(_LIBRARY)
        except OSError as error:
            raise Unavailable(f"no NVML: library={_LIBRARY}, reason={error}") from None
        self._call("nvmlInit_v2")
        self._device = ctypes.c_void_p()
        if uuid:
            name = ctypes.c_char_p(f"GPU-{uuid}".encode())
            self._call("nvmlDeviceGetHandleByUUID", name, ctypes.byref(self._device))
        else:
            index = ctypes.c_uint(index)
            self._call("nvmlDeviceGetHandleByIndex_v2", index, ctypes.byref(self._device))

    def _call(self, name, *arguments):
        try:
            function = getattr(self._library, name)
        except AttributeError:
            raise Unavailable(f"NVML too old: missing={name}") from None
        code = function(*arguments)
        if code != 0:
            self._library.nvmlErrorString.restype = ctypes.c_char_p
            reason = self._library.nvmlErrorString(code).decode()
            raise Unavailable(f"NVML refuses: call={name}, reason={reason}")

    def _number(self, name, kind, *arguments):
        value = kind()
        self._call(name, self._device, *arguments, ctypes.byref(value))
        return value.value

    def energy_millijoules(self):
        """Since the driver was loaded."""
        return self._number("nvmlDeviceGetTotalEnergyConsumption", ctypes.c_ulonglong)

    def state(self):
        """Clocks in MHz, power in W, temperature in degrees Celsius and other processes; as far as told."""
        return {
            "sm_mhz": self._try("nvmlDeviceGetClockInfo", ctypes.c_uint(_SM)),
            "memory_mhz": self._try("nvmlDeviceGetClockInfo", ctypes.c_uint(_MEMORY)),
            "sm_mhz_most": self._try("nvmlDeviceGetMaxClockInfo", ctypes.c_uint(_SM)),
            "power_w": self._thousandth("nvmlDeviceGetPowerUsage"),
            "power_limit_w": self._thousandth("nvmlDeviceGetEnforcedPowerLimit"),
            "celsius": self._try("nvmlDeviceGetTemperature", ctypes.c_uint(0)),
            "processes": self.processes(),
        }

    def _try(self, name, *arguments):
        try:
            return self._number(name, ctypes.c_uint, *arguments)
        except Unavailable:
            return None

    def _thousandth(self, name):
        value = self._try(name)
        return None if value is None else value / 1000

    def processes(self):
        """How many processes compute on the GPU, this one among them; None if that is not told."""
        count = ctypes.c_uint(256)
        found = (_Process * 256)()
        try:
            self._call(
                "nvmlDeviceGetComputeRunningProcesses_v3", self._device, ctypes.byref(count), found
            )
        except Unavailable:
            return None
        return count.value


def of_torch(device):
    """The GPU of a torch.device; Unavailable on the CPU."""
    import torch

    if device.type != "cuda":
        raise Unavailable("NVML serves GPUs only")
    index = device.index or 0
    uuid = getattr(torch.cuda.get_device_properties(index), "uuid", None)
    return Gpu(str(uuid) if uuid else None, index)
