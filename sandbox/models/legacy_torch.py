"""Reads PyTorch's legacy (pre-1.6) checkpoint format without PyTorch.

The file is five pickles (magic, protocol, system information, the state dict, the keys of its storages) and then,
for each key, a little-endian int64 element count and the raw data. The unpickler knows the four names that a
state dict of float and long tensors needs and refuses all others, so that a changed file cannot run code.
Source: torch/serialization.py, _legacy_load.
"""

import collections
import pickle
import struct
from pathlib import Path

import numpy as np

MAGIC = 0x1950A86A20F9469CFC6C
PROTOCOL = 1001
TYPES = {"FloatStorage": np.dtype("<f4"), "LongStorage": np.dtype("<i8")}


class _Unpickler(pickle.Unpickler):
    def __init__(self, file):
        super().__init__(file)
        self.storages = {}

    def find_class(self, module, name):
        if (module, name) == ("collections", "OrderedDict"):
            return collections.OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _tensor
        if module == "torch" and name in TYPES:
            return TYPES[name]
        raise pickle.UnpicklingError(f"{module}.{name} has no place in a state dict")

    def persistent_load(self, pid):
        kind, dtype, key, location, elements, view = pid
        if kind != "storage" or location != "cpu" or view is not None:
            raise pickle.UnpicklingError(f"unexpected storage {pid!r}")
        return self.storages.setdefault(key, np.zeros(elements, dtype))


def _tensor(storage, offset, size, stride, _requires_grad, _hooks):
    step = storage.itemsize
    return np.lib.stride_tricks.as_strided(storage[offset:], size, [s * step for s in stride], writeable=False)


def load(path: Path) -> dict[str, np.ndarray]:
    """The tensors of a state dict by name."""
    with path.open("rb") as file:
        if _Unpickler(file).load() != MAGIC or _Unpickler(file).load() != PROTOCOL:
            raise ValueError(f"{path} is no legacy PyTorch checkpoint")
        _Unpickler(file).load()
        reader = _Unpickler(file)
        state = reader.load()
        for key in _Unpickler(file).load():
            storage = reader.storages[key]
            (count,) = struct.unpack("<q", file.read(8))
            if count != storage.size:
                raise ValueError(f"{path}: storage {key} has {count} elements, {storage.size} were announced")
            storage[:] = np.frombuffer(file.read(storage.nbytes), storage.dtype)
    # The tensors are views of the storages, which only now hold the data.
    return {name: np.ascontiguousarray(tensor) for name, tensor in state.items()}
