"""Makes the sandbox's model repository. Usage: main.py DIRECTORY"""

import hashlib
import shutil
import sys
from pathlib import Path

import check
import efficientnet_lite0
import standins

HERE = Path(__file__).resolve().parent
BUNDLED = HERE.parents[1] / "models"

IMAGENET = (BUNDLED / "resnet50_onnx" / "labels.txt").read_text()

# Where config.pbtxt comes from, the labels, and what makes the weights.
MODELS = {
    "densenet_onnx": (BUNDLED / "densenet_onnx", standins.LABELS, standins.densenet121),
    "resnet50_onnx": (BUNDLED / "resnet50_onnx", standins.LABELS, standins.resnet50),
    "efficientnet_lite0": (HERE / "efficientnet_lite0", IMAGENET, efficientnet_lite0.model),
}


def main() -> None:
    target = Path(sys.argv[1])
    # Beside, not inside: anything but a model in a model repository breaks its loading.
    stamp = target.with_name(target.name + ".stamp")
    wanted = sources()
    if target.is_dir() and stamp.is_file() and stamp.read_text() == wanted:
        return
    made = target.with_name(target.name + ".new")
    shutil.rmtree(made, ignore_errors=True)
    stamp.unlink(missing_ok=True)
    for name, (config, labels, weights) in MODELS.items():
        print(f"models: making {name}", flush=True)
        (made / name / "1").mkdir(parents=True)
        shutil.copyfile(config / "config.pbtxt", made / name / "config.pbtxt")
        (made / name / "labels.txt").write_text(labels)
        (made / name / "1" / "model.onnx").write_bytes(weights().SerializeToString(deterministic=True))
    check.everything(made)
    shutil.rmtree(target, ignore_errors=True)
    made.rename(target)
    stamp.write_text(wanted)
    print(f"models: {target} is ready")


def sources() -> str:
    """SHA-256 over everything that the models are made from."""
    digest = hashlib.sha256()
    files = [*HERE.glob("*.py"), HERE / "requirements.txt", *HERE.glob("*/config.pbtxt")]
    files += [*BUNDLED.glob("*/config.pbtxt"), *BUNDLED.glob("*/labels.txt")]
    for path in sorted(files):
        digest.update(f"{path.relative_to(HERE.parents[1])}\0{hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
    return digest.hexdigest()


if __name__ == "__main__":
    main()
