//! Generates the messages of Triton's gRPC interface from `proto/`, without protoc.

use std::error::Error;

fn main() -> Result<(), Box<dyn Error>> {
    let set = protox::compile(["proto/inference.proto"], ["proto"])?;
    tonic_prost_build::configure()
        .build_server(false)
        .build_client(false)
        // Tensors are reference-counted: one read from the client goes to several models without a copy.
        .bytes(".inference.ModelInferRequest.raw_input_contents")
        .bytes(".inference.ModelInferResponse.raw_output_contents")
        .compile_fds(set)?;
    println!("cargo:rerun-if-changed=proto/inference.proto");
    Ok(())
}
