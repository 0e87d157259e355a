//! GetObject, and nothing else of S3: objects from memory, whoever signs, so that what a client of S3 costs can be measured
//! without a server that costs more.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use axum::http::{StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use tokio::net::TcpListener;

use crate::failure::{Doing, Failure};

/// Serves the files below a folder, each as `/FOLDER/PATH`, until the process is stopped.
pub(crate) async fn serve(port: u16, folder: &Path) -> Result<(), Failure> {
    let mut files = HashMap::new();
    read(folder, "", &mut files)?;
    let files = Arc::new(files);
    let listener = TcpListener::bind(("127.0.0.1", port)).await.doing("listening")?;
    let service = axum::Router::new().fallback(move |uri: Uri| {
        let file = files.get(uri.path()).cloned();
        async move { answer(file) }
    });
    axum::serve(listener, service).await.doing("serving objects")
}

fn read(folder: &Path, path: &str, files: &mut HashMap<String, Bytes>) -> Result<(), Failure> {
    for entry in std::fs::read_dir(folder).doing(folder.display())? {
        let entry = entry.doing(folder.display())?;
        let path = format!("{path}/{}", entry.file_name().display());
        if entry.path().is_dir() {
            read(&entry.path(), &path, files)?;
        } else {
            files.insert(path, std::fs::read(entry.path()).doing(entry.path().display())?.into());
        }
    }
    Ok(())
}

fn answer(file: Option<Bytes>) -> Response {
    match file {
        Some(file) => {
            let headers = [
                (header::CONTENT_TYPE, "image/jpeg"),
                (header::ETAG, "\"0\""),
                (header::LAST_MODIFIED, "Thu, 01 Jan 2026 00:00:00 GMT"),
            ];
            (headers, file).into_response()
        }
        None => (StatusCode::NOT_FOUND, "<Error><Code>NoSuchKey</Code><Message>none</Message></Error>").into_response(),
    }
}
