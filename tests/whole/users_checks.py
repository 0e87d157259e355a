"""The extended test that users of a Triton behind a WebSocket run against it, as they have it: Triton's own ports, the
WebSocket, the bucket, an inference. It knows nothing of tritondeploy.

Usage: users_checks.py HOST BUCKET IMAGE_KEY SITE_PACKAGES_WITH_BOTO3   Prints a line for each check; exit 1 if one fails.
"""

import asyncio
import json
import site
import sys
import urllib.request

import websockets


def get(url, method="GET"):
    # As `requests.post(url)` does, a POST without data has a length of 0.
    data = b"" if method == "POST" else None
    with urllib.request.urlopen(urllib.request.Request(url, data=data, method=method), timeout=10) as answer:
        assert answer.status == 200, answer.status
        return answer.read().decode()


def health(host, *_):
    get(f"http://{host}:8000/v2/health/ready")


def metadata(host, *_):
    server = json.loads(get(f"http://{host}:8000/v2"))
    assert server["name"] == "triton" and server["version"], server


def metrics(host, *_):
    text = get(f"http://{host}:8002/metrics")
    assert 'nv_inference_request_success{model="densenet_onnx"' in text, text


def models(host, *_):
    index = json.loads(get(f"http://{host}:8000/v2/repository/index", "POST"))
    states = {model["name"]: model.get("state") for model in index}
    assert states["densenet_onnx"] == states["resnet50_onnx"] == "READY", states


def websocket(host, *_):
    async def connect():
        async with websockets.connect(f"ws://{host}:8080"):
            print("Connection successful!")

    asyncio.run(connect())


def bucket(_, bucket, key):
    import boto3

    listed = boto3.client("s3").list_objects_v2(Bucket=bucket, Prefix="images/")
    assert key in [found["Key"] for found in listed["Contents"]], listed


def inference(host, bucket, key):
    async def ask():
        async with websockets.connect(f"ws://{host}:8080") as socket:
            await socket.send(json.dumps({"bucket": bucket, "key": key}))
            return json.loads(await asyncio.wait_for(socket.recv(), 120))

    answer = asyncio.run(ask())
    assert answer["status"] == "success", answer
    for model, output in (("densenet", "fc6_1"), ("resnet", "resnetv24_dense0_fwd")):
        assert len(answer["outputs"][model][output][0]) == 1000, model


def main(*arguments):
    failed = 0
    for check in (health, metadata, metrics, models, websocket, bucket, inference):
        try:
            check(*arguments)
            print(f"{check.__name__}: passed")
        except Exception as why:
            failed += 1
            print(f"{check.__name__}: FAILED: {type(why).__name__}: {why}")
    return 1 if failed else 0


site.addsitedir(sys.argv[4])
sys.exit(main(*sys.argv[1:4]))
