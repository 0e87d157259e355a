//! The best five classes of a photo, by every model of the pipeline: `classify ws://HOST:8080/ PHOTO`.
#![allow(clippy::print_stdout, clippy::indexing_slicing, reason = "an example for a terminal")]

use tritondeploy_client::v1::{Client, Request};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().collect();
    let client = Client::connect(&arguments[1]).await?;
    let photo = std::fs::read(&arguments[2])?;
    let reply = client.ask(Request::image(photo).top(5)).await?;
    for result in &reply.results {
        for class in result.classes()? {
            println!("{}: {:.3} {}", result.alias, class.score, class.label.as_deref().unwrap_or_default());
        }
    }
    Ok(())
}
