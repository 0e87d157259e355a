//! Generates a gRPC client of Triton from the gateway's `proto/`: a comparison needs one that the gateway cannot change.

use std::error::Error;

fn main() -> Result<(), Box<dyn Error>> {
    let set = protox::compile(["../proto/inference.proto"], ["../proto"])?;
    tonic_prost_build::configure()
        .build_server(false)
        .bytes(".inference.ModelInferRequest.raw_input_contents")
        .bytes(".inference.ModelInferResponse.raw_output_contents")
        .compile_fds(set)?;
    println!("cargo:rerun-if-changed=../proto/inference.proto");
    Ok(())
}
