"""The parts of the model builder that its own checks at build time do not reach."""

import io
import os
import pickle
import tempfile
import unittest
from pathlib import Path

import numpy as np

import legacy_torch
import main

BUNDLED = Path(__file__).resolve().parents[2] / "models"


def checkpoint(state) -> Path:
    """A file in the legacy form, with the two storages 'a' and 'b'."""
    out = io.BytesIO()
    for part in (legacy_torch.MAGIC, legacy_torch.PROTOCOL, {}):
        out.write(pickle.dumps(part, 2))
    out.write(state)
    out.write(pickle.dumps([], 2))
    handle, name = tempfile.mkstemp()
    with os.fdopen(handle, "wb") as file:
        file.write(out.getvalue())
    return Path(name)


class Evil:
    def __reduce__(self):
        return (os.system, ("true",))


class LegacyCheckpoints(unittest.TestCase):
    def test_a_checkpoint_that_would_run_code_is_refused(self):
        path = checkpoint(pickle.dumps(Evil(), 2))
        self.addCleanup(path.unlink)
        with self.assertRaisesRegex(pickle.UnpicklingError, "has no place in a state dict"):
            legacy_torch.load(path)

    def test_a_file_of_another_form_is_refused(self):
        path = checkpoint(b"")
        self.addCleanup(path.unlink)
        path.write_bytes(pickle.dumps("PK", 2) + path.read_bytes())
        with self.assertRaisesRegex(ValueError, "no legacy PyTorch checkpoint"):
            legacy_torch.load(path)

    def test_a_tensor_is_cut_from_its_storage_by_offset_and_stride(self):
        storage = np.arange(10, dtype="<f4")
        tensor = legacy_torch._tensor(storage, 1, (2, 3), (3, 1), False, None)
        self.assertEqual(tensor.tolist(), [[1, 2, 3], [4, 5, 6]])


class Labels(unittest.TestCase):
    def test_both_bundled_models_have_the_same_thousand_labels(self):
        densenet, resnet = ((BUNDLED / name / "labels.txt").read_text() for name in ("densenet_onnx", "resnet50_onnx"))
        self.assertEqual(densenet, resnet)
        labels = densenet.splitlines()
        self.assertEqual(len(labels), 1000)
        self.assertEqual((labels[281], labels[285], labels[504], labels[967]), ("tabby, tabby cat", "Egyptian cat", "coffee mug", "espresso"))

    def test_stand_ins_name_nothing_that_they_cannot_know(self):
        labelled = {name: labels.splitlines() for name, (_, labels, _) in main.MODELS.items()}
        self.assertEqual(labelled["densenet_onnx"][645], "stand-in class 645")
        self.assertEqual(labelled["resnet50_onnx"], [f"stand-in class {index}" for index in range(1000)])
        self.assertEqual(labelled["efficientnet_lite0"][285], "Egyptian cat")


if __name__ == "__main__":
    unittest.main()
