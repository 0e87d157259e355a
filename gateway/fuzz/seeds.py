"""Makes what fuzzing began from: the vectors, the images that pillow's goldens are made of, and some of all that the
other two formats know. `seeds.py FOLDER` writes FOLDER/TARGET/NAME; `run keep FOLDER` takes from it what is worth keeping."""

import json
import pathlib
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).parent
VECTORS = HERE.parent / "wire/vectors/v1"
DATATYPES = "BOOL UINT8 UINT16 UINT32 UINT64 INT8 INT16 INT32 INT64 FP16 BF16 FP32 FP64 BYTES".split()

CONFIGS = [
    """listen = "0.0.0.0:8080"
admin = "127.0.0.1:8081"
health = "0.0.0.0:8082"
drain_seconds = 20
[triton]
grpc = "http://127.0.0.1:8001"
message_bytes = 134217728
connect_seconds = 2
infer_seconds = 60
load_seconds = 600
transport = "shared-memory"
slot_bytes = 1048576
slots = 256
[storage]
bucket = "b"
region = "us-east-1"
endpoint_url = "http://127.0.0.1:9"
ca_bundle = "/ca.pem"
prefixes = ["images/", "temp_frames/"]
object_bytes = 67108864
bytes_at_once = 67108864
[image]
pixels = 89478485
pixels_at_once = 100000000
[repository]
directory = "/models"
prefix = "models/"
manifest = "release/manifest.json"
""",
    """storage.bucket = "b"
triton.transport = "inline"
[preset.mine]
resize = { shorter_side = 256 }
filter = "bilinear"
convert = "before"
orientation = "apply"
mean = [0.485, 0.456, 0.406]
std = [0.229, 0.224, 0.225]
[[pipeline]]
alias = "a"
model = "m"
preset = "mine"
scores = "probabilities"
quality = "fast"
required = false
[[pipeline]]
alias = "a"
model = "n"
pipeline = "other"
preset = "imagenet"
""",
    """storage = { bucket = 'b' }
preset.p = { resize = "stretch", filter = "bicubic", convert = "after", orientation = "ignore", std = [0, 1, 1] }
""",
    "[storage]\nbucket = \"b\"\n[limits]\n"
    + "".join(
        f"{key} = {value}\n"
        for key, value in {
            "message_bytes": 1 << 20, "incoming_bytes": 1 << 21, "message_seconds": 9, "connections": 9, "handshakes": 9,
            "header_seconds": 9, "running": 9, "waiting": 9, "waiting_bytes": 9, "window_requests": 9, "window_bytes": 9,
            "requests": 9, "bytes": 1 << 20, "model_requests": 9, "model_requests_least": 9, "request_seconds": 9,
            "write_seconds": 9, "ping_seconds": 9, "idle_seconds": 19,
        }.items()
    ),
    "", "[storage]\nbuckte = \"b\"", "storage.bucket = \"b\"\nlimits.running = 0", "pipeline = []\nstorage.bucket = \"b\"",
]


def requests():
    yield '{"bucket": "B", "key": "images/cat.png"}'
    yield '{"model_name": "resnet50_onnx", "bucket": "B", "key": "images/\\u00e9\\ud83d\\ude00\\ud800.png", "key": null}'
    for datatype in DATATYPES:
        one, many = {"BOOL": ("true", "[true,[false],0,1]"), "BYTES": ('"a\\n"', '["","\\u00e9"]')}.get(datatype, ("1", "[1,-2,3.0,4e0]"))
        tensor = '{"name": "x", "shape": %s, "datatype": "%s", "data": %s}'
        yield '{"model_name":"m","inputs":[%s,%s]}' % (tensor % ("[]", datatype, one), tensor % ("[2,1]", datatype, f"[[{one}],[{one}]]"))
        yield '{"model_name":"m","inputs":[%s]}' % (tensor % ("[2]", datatype, many))
        yield '{"model_name":"m","inputs":[%s]}' % (tensor % ("[0,3]", datatype, "[]"))
    for number in ["NaN", "Infinity", "-Infinity", "1e999", "-0", "0.1", "65504", "9007199254740993", "18446744073709551615"]:
        yield '{"model_name":"m","inputs":[{"name":"x","shape":[1],"datatype":"FP32","data":[%s]}]}' % number
    yield '{"status":"success","outputs":{"densenet":{"fc6_1":[[[[0.1]],[[0.2]]]]},"resnet":{"r":[["a"]],"s":true}}}'
    yield '{"status":"error","message":"why"}'


def seeds():
    for i, text in enumerate(requests()):
        yield "v0", f"request-{i}", text.encode()
    for i, text in enumerate(CONFIGS):
        yield "config", f"file-{i}", text.encode()
    for i, vector in enumerate(json.loads((VECTORS / "frames.json").read_text())):
        yield "v1", f"frame-{i}", bytes.fromhex(vector["frame"])
    messages = json.loads((VECTORS / "messages.json").read_text())
    said = messages["client"] + messages["gateway"] + [refused["message"] for refused in messages["refused"]]
    for i, message in enumerate(said):
        text = json.dumps(message, separators=(",", ":")).encode()
        yield "v1", f"message-{i}", text
        header = json.dumps(message | {"parts": [3, 0]} if isinstance(message, dict) else message).encode()
        frame = len(header).to_bytes(4, "little") + header
        yield "v1", f"message-{i}-parts", frame + bytes(-len(frame) % 8) + b"abc" + bytes(5)
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([sys.executable, HERE.parent / "tests/pillow/goldens.py", folder], check=True)
        for path in sorted(pathlib.Path(folder).iterdir()):
            if path.suffix not in (".unit", ".imagenet", ".upright", ".refused") and path.stat().st_size <= 3072:
                yield "image", path.name, path.read_bytes()


for target, name, data in seeds():
    folder = pathlib.Path(sys.argv[1]) / target
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(data)
