"""The real Triton with the sandbox's models: what is loaded, what is refused and why, what is answered."""

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from onnx import TensorProto, helper

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "models"))
import check  # noqa: E402

CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "tritondeploy"
MODELS = ["densenet_onnx", "efficientnet_lite0", "resnet50_onnx"]


def free_ports(count):
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    try:
        return [one.getsockname()[1] for one in sockets]
    finally:
        for one in sockets:
            one.close()


def doubling(path: Path, dims):
    """A model y = x + x."""
    x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, dims) for name in "xy")
    graph = helper.make_graph([helper.make_node("Add", ["x", "x"], ["y"])], "g", [x], [y])
    path.parent.mkdir(parents=True)
    path.write_bytes(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8).SerializeToString())


class Server(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = Path(tempfile.mkdtemp(dir=CACHE, prefix="test-triton-"))
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        cls.folder.chmod(0o755)
        cls.repository = cls.folder / "models"
        shutil.copytree(CACHE / "models", cls.repository, copy_function=os.link)
        cls.http, grpc, metrics = free_ports(3)
        log = open(cls.folder / "log", "wb")
        cls.addClassCleanup(log.close)
        cls.process = subprocess.Popen(
            [HERE / "local", "-r", cls.repository, "-p", str(cls.http), "-g", str(grpc), "-m", str(metrics), "-u", "1000"],
            stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        cls.addClassCleanup(cls.process.wait)
        cls.addClassCleanup(cls.process.terminate)
        deadline = time.monotonic() + 60
        while cls.ask("/v2/health/ready")[0] != 200:
            if time.monotonic() > deadline or cls.process.poll() is not None:
                raise AssertionError((cls.folder / "log").read_text()[-3000:])
            time.sleep(0.2)
        for name in MODELS:
            status, answer = cls.ask(f"/v2/repository/models/{name}/load", b"{}")
            assert status == 200, answer

    @classmethod
    def ask(cls, path, body=None, headers=None):
        request = urllib.request.Request(f"http://127.0.0.1:{cls.http}{path}", body, headers or {})
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return answer.status, json.loads(answer.read() or b"null")
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except (urllib.error.URLError, ConnectionError) as error:
            return 0, str(error)

    @classmethod
    def infer(cls, model, name, array, **parameters):
        """One tensor in binary form. A body of some MB without a content type of its own is read as a web form, and
        ends this release of Triton with a signal."""
        array = np.ascontiguousarray(array, np.float32)
        head = json.dumps({
            "inputs": [{"name": name, "shape": array.shape, "datatype": "FP32", "parameters": {"binary_data_size": array.nbytes}}],
            **parameters}).encode()
        return cls.ask(f"/v2/models/{model}/infer", head + array.tobytes(),
                       {"Content-Type": "application/octet-stream", "Inference-Header-Content-Length": str(len(head))})

    def index(self):
        return {model["name"]: model for model in self.ask("/v2/repository/index", b"")[1]}

    def test_all_models_are_ready_with_the_names_and_shapes_of_the_reference(self):
        for name in MODELS:
            self.assertEqual(self.index()[name]["state"], "READY")
        metadata = {name: self.ask(f"/v2/models/{name}")[1] for name in MODELS}
        faces = {name: [(tensor["name"], tensor["shape"]) for tensor in said["inputs"] + said["outputs"]] for name, said in metadata.items()}
        self.assertEqual(faces["densenet_onnx"], [("data_0", [1, 3, 224, 224]), ("fc6_1", [1, 1000, 1, 1])])
        self.assertEqual(faces["resnet50_onnx"], [("data", [-1, 3, 224, 224]), ("resnetv24_dense0_fwd", [-1, 1000])])

    def test_the_cat_is_a_cat(self):
        outputs = [{"name": "probabilities", "parameters": {"classification": 3}}]
        status, answer = self.infer("efficientnet_lite0", "image", check.unit(check.CAT), outputs=outputs)
        self.assertEqual(status, 200, answer)
        score, index, label = answer["outputs"][0]["data"][0].split(":", 2)
        self.assertEqual((index, label), ("285", "Egyptian cat"))
        self.assertAlmostEqual(float(score), 0.771, places=2)

    def test_requests_at_once_are_answered_as_one_by_one(self):
        picture = check.unit(check.CAT)
        pictures = [picture * (step / 12) for step in range(12)]
        alone = [self.infer("resnet50_onnx", "data", one)[1]["outputs"][0]["data"] for one in pictures]
        with ThreadPoolExecutor(12) as pool:
            together = list(pool.map(lambda one: self.infer("resnet50_onnx", "data", one)[1]["outputs"][0]["data"], pictures))
        np.testing.assert_allclose(together, alone, atol=1e-3)

    def test_a_batch_over_the_limit_is_refused_and_a_full_one_answered(self):
        picture = check.unit(check.CAT)
        status, why = self.infer("resnet50_onnx", "data", np.repeat(picture, 9, axis=0))
        self.assertEqual(status, 400)
        self.assertIn("batch-size must be <= 8", why)
        status, answer = self.infer("resnet50_onnx", "data", np.repeat(picture, 8, axis=0))
        self.assertEqual((status, answer["outputs"][0]["shape"]), (200, [8, 1000]))

    def test_a_model_without_config_gets_one_from_its_graph(self):
        doubling(self.repository / "bare/1/model.onnx", ["N", 3])
        status, why = self.ask("/v2/repository/models/bare/load", b"{}")
        self.assertEqual(status, 200, why)
        config = self.ask("/v2/models/bare/config")[1]
        self.assertEqual((config["max_batch_size"], config["input"][0]["dims"]), (4, [3]))
        self.assertEqual(self.infer("bare", "x", [[1, 2, 3]])[1]["outputs"][0]["data"], [2, 4, 6])

    def test_a_broken_model_is_refused_and_the_reason_is_kept(self):
        doubling(self.repository / "broken/1/model.onnx", ["N", 3])
        (self.repository / "broken/config.pbtxt").write_text(
            'platform: "onnxruntime_onnx" max_batch_size: 8 input [{name: "x" data_type: TYPE_FP32 dims: [4]}]'
            ' output [{name: "y" data_type: TYPE_FP32 dims: [3]}]')
        status, why = self.ask("/v2/repository/models/broken/load", b"{}")
        self.assertEqual(status, 400, why)
        self.assertIn("model 'broken', tensor 'x': the model expects 2 dimensions (shape [-1,3])", self.index()["broken"]["reason"])

    def test_no_onnx_at_all_is_refused(self):
        (self.repository / "text/1").mkdir(parents=True)
        (self.repository / "text/1/model.onnx").write_text("hello")
        self.assertEqual(self.ask("/v2/repository/models/text/load", b"{}")[0], 400)
        self.assertIn("onnx runtime error", self.index()["text"]["reason"])


if __name__ == "__main__":
    unittest.main()
