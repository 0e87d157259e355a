"""Stand-ins for the two reference models: same architecture, tensor names, shapes and size; random weights.

The `onnx` package carries both graphs without weights: nodes of type ConstantOfShape stand where they were. What
they answer depends on the picture, and means nothing.
"""

import os
import zlib

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

PICTURES = 32
# Random weights know no animals, and must not seem to.
LABELS = "".join(f"stand-in class {index}\n" for index in range(1000))


def densenet121() -> onnx.ModelProto:
    """data_0 [1,3,224,224] -> fc6_1 [1,1000,1,1]."""
    made = _with_weights("light_densenet121")
    graph = made.graph
    del graph.input[:], graph.output[:]
    graph.input.append(helper.make_tensor_value_info("data_0", TensorProto.FLOAT, [1, 3, 224, 224]))
    graph.output.append(helper.make_tensor_value_info("fc6_1", TensorProto.FLOAT, [1, 1000, 1, 1]))
    _centre(made, "fc6_w_0", "fc6_b_0")
    return _checked(made)


def resnet50() -> onnx.ModelProto:
    """data [N,3,224,224] -> resnetv24_dense0_fwd [N,1000]."""
    made = _with_weights("light_resnet50")
    graph = made.graph
    last = graph.node[-1]
    if last.op_type != "Softmax":
        raise ValueError(f"light_resnet50 ends in {last.op_type}, not in Softmax")
    # The reference model answers logits.
    graph.node.remove(last)
    graph.node[-1].output[0] = "resnetv24_dense0_fwd"
    for node in graph.node:
        node.input[:] = ["data" if name == "gpu_0/data_0" else name for name in node.input]
    # Reshape to (1, 2048) in the package; any number of pictures here.
    _replace(graph, "OC2_DUMMY_1", np.array([-1, 2048], np.int64))
    del graph.input[:], graph.output[:]
    graph.input.append(helper.make_tensor_value_info("data", TensorProto.FLOAT, ["N", 3, 224, 224]))
    graph.output.append(helper.make_tensor_value_info("resnetv24_dense0_fwd", TensorProto.FLOAT, ["N", 1000]))
    _centre(made, "gpu_0/pred_w_0", "gpu_0/pred_b_0")
    return _checked(made)


def _with_weights(name: str) -> onnx.ModelProto:
    made = onnx.load(os.path.join(os.path.dirname(onnx.__file__), "backend/test/data/light", f"{name}.onnx"))
    graph = made.graph
    given = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    wanted = {}
    kept = []
    for node in graph.node:
        if node.op_type == "ConstantOfShape":
            wanted[node.output[0]] = _values(node.output[0], given[node.input[0]].tolist())
        else:
            kept.append(node)
    used = {name for node in kept for name in node.input}
    for name, array in given.items():
        if name in used:
            wanted[name] = _values(name, array.shape) if array.dtype == np.float32 else array
    del graph.node[:], graph.initializer[:]
    graph.node.extend(kept)
    graph.initializer.extend(numpy_helper.from_array(array, name) for name, array in sorted(wanted.items()))
    made.ir_version = 8  # From version 4 on, initializers need not be inputs.
    made.producer_name = "tritondeploy"
    return made


def _values(name: str, shape) -> np.ndarray:
    """Weights by the parts that the graphs' names tell; the same for a name every time."""
    random = np.random.Generator(np.random.PCG64(zlib.crc32(name.encode())))
    noise = random.standard_normal(shape, np.float32)
    if name.endswith(("_bn_s_0", "bn_scale_0", "bn_w_0")):
        # The last norm of a residual branch is small, as trained networks have it; else the sum grows without end.
        return (0.3 if "branch2c" in name else 1.0) + 0.1 * noise
    if name.endswith(("_bn_riv_0", "bn_var_0")):
        return random.uniform(1.0, 1.2, shape).astype(np.float32)
    if len(shape) == 1:
        return 0.1 * noise
    return noise * np.float32(np.sqrt(2.0 / np.prod(shape[1:])))


def _centre(made: onnx.ModelProto, weight: str, bias: str) -> None:
    """Scales the last layer so that its answers over some pictures have mean 0 and deviation 2, as logits have."""
    arrays = {tensor.name: numpy_helper.to_array(tensor) for tensor in made.graph.initializer}
    _replace(made.graph, bias, np.zeros_like(arrays[bias]))
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1  # So that sums are taken in the same order every time.
    session = onnxruntime.InferenceSession(made.SerializeToString(), options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    answers = np.stack([session.run(None, {name: picture})[0].reshape(-1) for picture in _pictures()])
    mean = answers.mean(axis=0)
    factor = 2.0 / (answers - mean).std()
    _replace(made.graph, weight, (arrays[weight] * factor).astype(np.float32))
    _replace(made.graph, bias, (-mean * factor).astype(np.float32))


def _pictures():
    """Blurred colour noise from coarse to fine: flat noise would give the same answer every time."""
    random = np.random.Generator(np.random.PCG64(7))
    for index in range(PICTURES):
        cells = (2, 4, 7, 14)[index % 4]
        coarse = random.random((1, 3, cells, cells), np.float32)
        fine = random.random((1, 3, 224, 224), np.float32)
        yield 0.8 * coarse.repeat(224 // cells, axis=2).repeat(224 // cells, axis=3) + 0.2 * fine


def _replace(graph: onnx.GraphProto, name: str, array: np.ndarray) -> None:
    for tensor in graph.initializer:
        if tensor.name == name:
            tensor.CopyFrom(numpy_helper.from_array(array, name))
            return
    raise ValueError(f"the graph has no {name}")


def _checked(made: onnx.ModelProto) -> onnx.ModelProto:
    onnx.checker.check_model(made)
    return made
