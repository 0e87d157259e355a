"""Runs what was made: a wrong padding or normalisation gives plausible labels, so numbers are pinned."""

from importlib.metadata import distribution
from pathlib import Path

import numpy as np
import onnxruntime
from PIL import Image

CAT = Path(__file__).resolve().parents[2] / "assets" / "cat.png"
# Photo -> class index -> probability.
PINNED = {
    "cat": {285: 0.771, 282: 0.101, 281: 0.077},
    "coffee": {967: 0.900},
    "rocket": {540: 0.564},
}
TOLERANCE = 0.004


def everything(directory: Path) -> None:
    # Only the photos of scikit-image are wanted; it cannot be imported without its dependencies.
    data = distribution("scikit-image").locate_file("skimage/data")
    photos = {"cat": CAT, "coffee": data / "coffee.png", "rocket": data / "rocket.jpg"}
    pictures = {name: unit(path) for name, path in photos.items()}

    lite = session(directory / "efficientnet_lite0")
    for name, pinned in PINNED.items():
        (scores,) = lite.run(None, {"image": pictures[name]})[0]
        for index, wanted in pinned.items():
            if abs(scores[index] - wanted) > TOLERANCE:
                raise SystemExit(f"efficientnet_lite0: {name} is class {index} with {scores[index]:.3f}, {wanted} was expected")
    batch = np.concatenate(list(pictures.values()))
    for name, key, shape in [("densenet_onnx", "data_0", (1, 1000, 1, 1)), ("resnet50_onnx", "data", (1, 1000))]:
        model = session(directory / name)
        answers = [model.run(None, {key: picture})[0] for picture in pictures.values()]
        for answer in answers:
            if answer.shape != shape or not np.isfinite(answer).all():
                raise SystemExit(f"{name}: the answer has shape {answer.shape} or values that are no numbers")
        if np.abs(answers[0] - answers[1]).mean() < 0.1:
            raise SystemExit(f"{name}: the answer hardly depends on the picture")
    together = session(directory / "resnet50_onnx").run(None, {"data": batch})[0]
    if not np.allclose(together[-1], answers[-1][0], atol=1e-3):
        raise SystemExit("resnet50_onnx: a picture in a batch is answered otherwise than alone")


def unit(path) -> np.ndarray:
    """Protocol v0's preset `unit`: [1,3,224,224], RGB, 0..1."""
    with Image.open(path) as image:
        pixels = np.asarray(image.resize((224, 224)).convert("RGB"), np.float32) / np.float32(255)
    return pixels.transpose(2, 0, 1)[np.newaxis].copy()


def session(folder: Path) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 2
    return onnxruntime.InferenceSession(str(folder / "1/model.onnx"), options, providers=["CPUExecutionProvider"])
