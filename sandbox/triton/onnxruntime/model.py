"""Triton's ONNX Runtime backend, written in Python: a folder backends/onnxruntime with a model.py and no library in
it makes Triton run every model of `platform: "onnxruntime_onnx"` through this file. It answers on the CPU, also for
an instance that was given a GPU.
"""

import json
import os
import sys

import numpy as np
import onnxruntime
import triton_python_backend_utils as pb_utils

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import batches  # noqa: E402
import checks  # noqa: E402
import tensors  # noqa: E402

# Every model has a process of its own: none of them may take the whole machine, and waiting threads must sleep.
THREADS = 2
# optimization.graph.level; anything else optimises all.
LEVELS = {
    "-1": onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC,
    "1": onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED,
    "2": onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL,
}


class TritonPythonModel:
    @staticmethod
    def auto_complete_config(auto_complete_model_config):
        config = auto_complete_model_config.as_dict()
        if config.get("input") and config.get("output"):
            return auto_complete_model_config
        session = _session(config, pb_utils.get_model_dir())
        filled = checks.completed(config, tensors.inputs(session), tensors.outputs(session))
        auto_complete_model_config.set_max_batch_size(filled["max_batch_size"])
        for tensor in filled.get("input", []):
            auto_complete_model_config.add_input(tensor)
        for tensor in filled.get("output", []):
            auto_complete_model_config.add_output(tensor)
        if "dynamic_batching" in filled:
            auto_complete_model_config.set_dynamic_batching()
        return auto_complete_model_config

    def initialize(self, args):
        config = json.loads(args["model_config"])
        folder = os.path.join(args["model_repository"], args["model_version"])
        self.session = _session(config, folder)
        self.inputs = tensors.inputs(self.session)
        self.outputs = tensors.outputs(self.session)
        try:
            checks.check(config, self.inputs, self.outputs)
        except checks.Unsuitable as why:
            raise pb_utils.TritonModelException(str(why)) from None
        self.batching = int(config.get("max_batch_size") or 0) > 0
        self.reshape = {
            said["name"]: [int(dim) for dim in said["reshape"].get("shape", [])]
            for said in config["input"]
            if said.get("reshape") is not None
        }

    def execute(self, requests):
        given = [{tensor.name(): self._array(tensor) for tensor in request.inputs()} for request in requests]
        responses = [None] * len(requests)
        for group in batches.groups(given, self.batching):
            for index, response in zip(group, self._together([requests[i] for i in group], [given[i] for i in group])):
                responses[index] = response
        return responses

    def _together(self, requests, given):
        """Runs some requests as one; all of them fail together."""
        names = [name for name in self.outputs if any(name in request.requested_output_names() for request in requests)]
        rows = [len(next(iter(arrays.values()), ())) for arrays in given]
        try:
            answer = self.session.run(names, batches.joined(given))
            parts = batches.split(answer, rows)
        except Exception as why:  # Whatever ONNX Runtime says belongs to the caller, and must not end the process.
            error = pb_utils.TritonError(f"onnx runtime error: {why}")
            return [pb_utils.InferenceResponse(output_tensors=[], error=error) for _ in requests]
        return [
            pb_utils.InferenceResponse(
                output_tensors=[
                    pb_utils.Tensor(name, _bytes(array))
                    for name, array in zip(names, part)
                    if name in request.requested_output_names()
                ]
            )
            for request, part in zip(requests, parts)
        ]

    def _array(self, tensor):
        array = tensor.as_numpy()
        if array.dtype == np.object_:
            array = np.vectorize(lambda value: value.decode("utf-8"), otypes=[object])(array)
        shape = self.reshape.get(tensor.name())
        if shape is not None and array.ndim != len(shape) + self.batching:
            array = array.reshape(([array.shape[0]] if self.batching else []) + shape)
        return array


def _bytes(array):
    if array.dtype == np.object_:
        return np.vectorize(lambda value: value.encode("utf-8"), otypes=[object])(array)
    # A part of a batch is a view; Triton reads contiguous memory.
    return np.ascontiguousarray(array)


def _session(config, folder):
    file = config.get("default_model_filename") or "model.onnx"
    path = os.path.join(folder, "model.onnx" if file == "model.py" else file)
    if not os.path.exists(path):
        raise pb_utils.TritonModelException(f"unable to find '{path}' for model '{config['name']}'")
    settings = {key: value.get("string_value", "") for key, value in (config.get("parameters") or {}).items()}
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = int(settings.get("intra_op_thread_count") or 0) or min(THREADS, os.cpu_count() or 1)
    options.inter_op_num_threads = int(settings.get("inter_op_thread_count") or 0) or 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    if settings.get("execution_mode") == "1":
        options.execution_mode = onnxruntime.ExecutionMode.ORT_PARALLEL
    level = str(((config.get("optimization") or {}).get("graph") or {}).get("level", 0))
    options.graph_optimization_level = LEVELS.get(level, onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL)
    options.log_severity_level = 3
    try:
        return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    except Exception as why:  # ONNX Runtime has an exception class for each of its codes.
        raise pb_utils.TritonModelException(f"onnx runtime error: {why}") from None
