"""The backend's rules, without a server."""

import sys
import unittest
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent / "onnxruntime"))
import batches  # noqa: E402
import checks  # noqa: E402
from tensors import Tensor  # noqa: E402

INPUTS = {"data": Tensor("TYPE_FP32", (-1, 3, 4))}
OUTPUTS = {"scores": Tensor("TYPE_FP32", (-1, 5))}


def config(batch=8, **changes):
    made = {
        "name": "m",
        "max_batch_size": batch,
        "input": [{"name": "data", "data_type": "TYPE_FP32", "dims": [3, 4]}],
        "output": [{"name": "scores", "data_type": "TYPE_FP32", "dims": [5]}],
    }
    for side, change in changes.items():
        made[side][0].update(change)
    return made


class Checks(unittest.TestCase):
    def refused(self, why, said, inputs=INPUTS, outputs=OUTPUTS):
        with self.assertRaises(checks.Unsuitable) as caught:
            checks.check(said, inputs, outputs)
        self.assertIn(why, str(caught.exception))

    def test_a_config_that_fits_is_taken(self):
        checks.check(config(), INPUTS, OUTPUTS)
        checks.check(config(input={"dims": ["3", "4"]}), INPUTS, OUTPUTS)
        free = {"data": Tensor("TYPE_FP32", (-1, 3, -1))}
        checks.check(config(input={"dims": [3, 4]}), free, OUTPUTS)

    def test_what_the_cpp_backend_refuses_is_refused_with_its_words(self):
        self.refused("unexpected inference input 'image', allowed inputs are: data", config(input={"name": "image"}))
        self.refused("unexpected inference output 'x', allowed outputs are: scores", config(output={"name": "x"}))
        self.refused("configuration expects datatype TYPE_INT8 for input 'data', model provides TYPE_FP32", config(input={"data_type": "TYPE_INT8"}))
        self.refused("unsupported datatype TYPE_BF16 for output", config(output={"data_type": "TYPE_BF16"}))
        self.refused("configuration expects 1 inputs, model provides 2", config(), {**INPUTS, "more": INPUTS["data"]})
        self.refused("the model expects 3 dimensions (shape [-1,3,4]) but the model configuration specifies 3 dimensions "
                     "(an initial batch dimension because max_batch_size > 0", config(input={"dims": [3, 5]}))
        self.refused("the first dimension must be -1; but shape expected by the model is [1,3,4]", config(),
                     {"data": Tensor("TYPE_FP32", (1, 3, 4))})
        self.refused("but the model configuration specifies 2 dimensions (shape [3,4])", config(batch=0))
        self.refused("optional input 'data' is not supported", config(input={"optional": True}))

    def test_an_output_must_be_said_as_the_model_says_it(self):
        free = {"scores": Tensor("TYPE_FP32", (-1, -1))}
        self.refused("(shape [-1,-1])", config(), outputs=free)
        checks.check(config(output={"dims": [-1]}), INPUTS, free)

    def test_a_reshape_is_what_the_model_takes(self):
        checks.check(config(input={"dims": [12], "reshape": {"shape": [3, 4]}}), INPUTS, OUTPUTS)

    def test_an_empty_config_is_completed_from_the_model(self):
        filled = checks.completed({"name": "m"}, INPUTS, OUTPUTS)
        self.assertEqual(filled["max_batch_size"], 4)
        self.assertEqual(filled["input"], [{"name": "data", "data_type": "TYPE_FP32", "dims": [3, 4]}])
        self.assertEqual(filled["dynamic_batching"], {})
        fixed = checks.completed({"name": "m"}, {"data": Tensor("TYPE_FP32", (1, 3))}, OUTPUTS)
        self.assertEqual((fixed["max_batch_size"], fixed["input"][0]["dims"]), (0, [1, 3]))
        self.assertEqual(checks.completed(config(), INPUTS, OUTPUTS), {})

    def test_a_batch_size_is_not_completed_where_the_model_takes_no_batches(self):
        with self.assertRaisesRegex(checks.Unsuitable, "does not support batching while non-zero max_batch_size"):
            checks.completed({"name": "m", "max_batch_size": 8}, {"data": Tensor("TYPE_FP32", (1, 3))}, OUTPUTS)


class Batches(unittest.TestCase):
    def test_requests_of_one_shape_run_together_and_get_their_own_rows_back(self):
        given = [{"x": np.full((rows, 2), value, np.float32)} for rows, value in ((1, 1), (2, 2), (1, 3))]
        self.assertEqual(batches.groups(given, True), [[0, 1, 2]])
        both = batches.joined(given)["x"]
        parts = batches.split([both * 10], [1, 2, 1])
        self.assertEqual([part[0][:, 0].tolist() for part in parts], [[10], [20, 20], [30]])

    def test_other_shapes_and_models_without_batches_run_alone(self):
        given = [{"x": np.zeros((1, 2))}, {"x": np.zeros((1, 3))}, {"x": np.zeros((1, 2))}]
        self.assertEqual(batches.groups(given, True), [[0, 2], [1]])
        self.assertEqual(batches.groups(given, False), [[0], [1], [2]])

    def test_an_answer_that_is_not_one_row_a_row_is_refused(self):
        with self.assertRaisesRegex(ValueError, "cannot be cut apart"):
            batches.split([np.zeros((1, 5))], [1, 1])


if __name__ == "__main__":
    unittest.main()
