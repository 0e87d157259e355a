"""A model that costs next to nothing and still tells what it was asked: 1,000 numbers of its input.

Parameters of its configuration: `sample` is "ends" (the first and the last 500, which is cheapest) or "all" (every n-th);
`sleep_seconds` makes it a model that takes its time without using the processor.
"""

import json
import time

import numpy
import triton_python_backend_utils as triton


class TritonPythonModel:
    def initialize(self, args):
        config = json.loads(args["model_config"])
        self.input = config["input"][0]["name"]
        self.output = config["output"][0]["name"]
        self.shape = [max(1, int(length)) for length in config["output"][0]["dims"]]
        self.ends = config["parameters"]["sample"]["string_value"] == "ends"
        self.seconds = float(config["parameters"]["sleep_seconds"]["string_value"])

    def execute(self, requests):
        return [self.answer(request) for request in requests]

    def answer(self, request):
        if self.seconds:
            time.sleep(self.seconds)
        numbers = triton.get_input_tensor_by_name(request, self.input).as_numpy().reshape(-1)
        if self.ends:
            sample = numpy.concatenate((numbers[:500], numbers[-500:]))
        else:
            sample = numbers[:: numbers.size // 1000][:1000].copy()
        return triton.InferenceResponse([triton.Tensor(self.output, sample.reshape(self.shape))])
