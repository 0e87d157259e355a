"""What an ONNX Runtime session says about its tensors, in Triton's words."""

from dataclasses import dataclass

TYPES = {
    "tensor(bool)": "TYPE_BOOL",
    "tensor(uint8)": "TYPE_UINT8",
    "tensor(uint16)": "TYPE_UINT16",
    "tensor(uint32)": "TYPE_UINT32",
    "tensor(uint64)": "TYPE_UINT64",
    "tensor(int8)": "TYPE_INT8",
    "tensor(int16)": "TYPE_INT16",
    "tensor(int32)": "TYPE_INT32",
    "tensor(int64)": "TYPE_INT64",
    "tensor(float16)": "TYPE_FP16",
    "tensor(float)": "TYPE_FP32",
    "tensor(double)": "TYPE_FP64",
    "tensor(string)": "TYPE_STRING",
}


@dataclass(frozen=True)
class Tensor:
    """A tensor's type (TYPE_...) and shape; -1 is a free dimension."""

    data_type: str
    dims: tuple[int, ...]


def inputs(session) -> dict[str, Tensor]:
    return _described(session.get_inputs())


def outputs(session) -> dict[str, Tensor]:
    return _described(session.get_outputs())


def _described(arguments) -> dict[str, Tensor]:
    # A free dimension has a name, or nothing, where a number would be.
    return {
        argument.name: Tensor(
            TYPES.get(argument.type, "TYPE_INVALID"),
            tuple(dim if isinstance(dim, int) and dim >= 0 else -1 for dim in argument.shape),
        )
        for argument in arguments
    }
