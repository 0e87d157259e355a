"""What Triton's C++ ONNX Runtime backend checks when it loads a model, and what it completes in a configuration.

A configuration is Triton's ModelConfig as JSON. The rules and the sentences are those of
github.com/triton-inference-server/onnxruntime_backend, src/onnxruntime.cc and src/onnxruntime_utils.cc.
"""

from tensors import Tensor, TYPES

# The server's --backend-config=default-max-batch-size.
DEFAULT_BATCH = 4


class Unsuitable(Exception):
    """The configuration does not fit the model."""


def completed(config: dict, inputs: dict[str, Tensor], outputs: dict[str, Tensor]) -> dict:
    """The parts that a configuration without inputs or without outputs gets from the model; {} for a full one."""
    if config.get("input") and config.get("output"):
        return {}
    batch = int(config.get("max_batch_size") or 0)
    free = all(tensor.dims and tensor.dims[0] == -1 for tensor in [*inputs.values(), *outputs.values()])
    if not free and batch:
        raise Unsuitable(
            f"autofill failed for model '{config['name']}': model does not support batching while non-zero max_batch_size is specified"
        )
    batch = batch or (DEFAULT_BATCH if free else 0)
    filled = {"max_batch_size": batch}
    for key, tensors in (("input", inputs), ("output", outputs)):
        if not config.get(key):
            filled[key] = [
                {"name": name, "data_type": tensor.data_type, "dims": list(tensor.dims[1 if batch else 0 :]) or [1]}
                for name, tensor in tensors.items()
            ]
    if batch > 1 and not config.get("sequence_batching") and config.get("dynamic_batching") is None:
        filled["dynamic_batching"] = {}
    return filled


def check(config: dict, inputs: dict[str, Tensor], outputs: dict[str, Tensor]) -> None:
    """Raises Unsuitable when the configuration does not fit the model."""
    name = config["name"]
    expected = len(config.get("input", [])) + len(config.get("batch_input", []))
    if expected != len(inputs):
        raise Unsuitable(f"unable to load model '{name}', configuration expects {expected} inputs, model provides {len(inputs)}")
    batch_outputs = {target for part in config.get("batch_output", []) for target in part.get("target_name", [])}
    for side, tensors in (("input", inputs), ("output", outputs)):
        for said in config.get(side, []):
            _fits(config, side, said, tensors, compare=said["name"] not in batch_outputs)


def _fits(config: dict, side: str, said: dict, tensors: dict[str, Tensor], compare: bool) -> None:
    model, tensor, batch = config["name"], said["name"], int(config.get("max_batch_size") or 0)
    if said.get("optional") and batch:
        raise Unsuitable(f"unable to load model '{model}', optional input '{tensor}' is not supported for models that support batching")
    if tensor not in tensors:
        allowed = ", ".join(sorted(tensors))
        raise Unsuitable(f"unexpected inference {side} '{tensor}', allowed {side}s are: {allowed}")
    found, wanted = tensors[tensor], said["data_type"]
    if wanted not in TYPES.values():
        raise Unsuitable(f"unsupported datatype {wanted} for {side} '{tensor}' for model '{model}'")
    if wanted != found.data_type:
        raise Unsuitable(
            f"unable to load model '{model}', configuration expects datatype {wanted} for {side} '{tensor}', model provides {found.data_type}"
        )
    shape = (said.get("reshape") or {}).get("shape") if said.get("reshape") is not None else said.get("dims")
    dims = [int(dim) for dim in shape or []]
    if said.get("allow_ragged_batch"):
        if found.dims != (-1,):
            raise Unsuitable(
                f"unable to load model '{model}', configuration expects model provides input with shape [-1]  "
                f"for ragged input '{tensor}', model provides {_text(found.dims)}"
            )
    elif not found.dims:
        if any(dim != 1 for dim in dims):
            raise Unsuitable(
                f"unable to load model '{model}', scalar tensor '{tensor}', should only provide 1 in the model configuration "
                f"when the model doesn't support batching. Model configuration provided: {_text(dims)}."
            )
    elif compare:
        _same_shape(model, tensor, found.dims, dims, batch, exact=side == "output")


def _same_shape(model: str, tensor: str, found: tuple[int, ...], dims: list[int], batch: int, exact: bool) -> None:
    if batch and found[0] != -1:
        raise Unsuitable(
            f"model '{model}', tensor '{tensor}': for the model to support batching the shape should have at least 1 dimension "
            f"and the first dimension must be -1; but shape expected by the model is {_text(found)}"
        )
    full = [-1, *dims] if batch else dims
    # An input may be narrower than the model; what it answers must be said as the model says it.
    if len(full) == len(found) and all(a == b or (b == -1 and not exact) for a, b in zip(full, found)):
        return
    how = f"{len(full)} dimensions (shape {_text(full)})"
    if batch:
        how = (
            f"{len(full)} dimensions (an initial batch dimension because max_batch_size > 0 followed by the explicit "
            f"tensor shape, making complete shape {_text(full)})"
        )
    raise Unsuitable(
        f"model '{model}', tensor '{tensor}': the model expects {len(found)} dimensions (shape {_text(found)}) "
        f"but the model configuration specifies {how}"
    )


def _text(dims) -> str:
    return "[" + ",".join(str(dim) for dim in dims) + "]"
