//! What costs the gateway and Triton little.

use tritondeploy_support::world::{Files, onnx};

/// A bitmap of 8 x 8 grey pixels.
pub(crate) fn picture() -> Vec<u8> {
    let (pixels, head) = (3 * 8 * 8u32, 54u32);
    let mut file = b"BM".to_vec();
    [head + pixels, 0, head, 40, 8, 8, 24 << 16 | 1, 0, pixels, 0, 0, 0, 0]
        .iter()
        .for_each(|field| file.extend(field.to_le_bytes()));
    file.resize((head + pixels) as usize, 127);
    file
}

/// A model of images whose three classes are the means of red, green and blue.
pub(crate) fn mean(name: &str) -> Files {
    let graph = "x = h.make_tensor_value_info('x', T.FLOAT, [1, 3, 224, 224])\n\
        y = h.make_tensor_value_info('y', T.FLOAT, [1, 3])\n\
        nodes = [h.make_node('ReduceMean', ['x'], ['y'], axes=[2, 3], keepdims=0)]\n\
        graph = h.make_graph(nodes, 'g', [x], [y])";
    let side =
        |what: &str, tensor: &str, dims: &str| format!("{what} [{{ name: {tensor:?} data_type: TYPE_FP32 dims: [ {dims} ] }}]\n");
    let config = format!(
        "name: {name:?}\nplatform: \"onnxruntime_onnx\"\nmax_batch_size: 0\n{}{}",
        side("input", "x", "1, 3, 224, 224"),
        side("output", "y", "1, 3")
    );
    Files::from([(format!("{name}/config.pbtxt"), config.into()), (format!("{name}/1/model.onnx"), onnx(graph))])
}
