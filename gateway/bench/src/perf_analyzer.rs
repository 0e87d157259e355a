//! NVIDIA's own load tool, for those who would rather believe it.

use std::path::{Path, PathBuf};

use tokio::process::Command;

use crate::failure::{Doing, Failure};
use crate::models::Model;

/// Milliseconds of each of the three windows that it measures.
const WINDOW: &str = "2000";

/// By how many per cent the windows may differ: whatever they do, or on a busy machine it tells nothing.
const STABLE: &str = "100";

/// The program, and where it may write.
#[derive(Clone, Debug)]
pub(crate) struct PerfAnalyzer {
    program: PathBuf,
    folder: PathBuf,
}

impl PerfAnalyzer {
    pub(crate) fn new(program: &Path, folder: &Path) -> Self {
        Self { program: program.to_owned(), folder: folder.to_owned() }
    }

    /// Answers per second of a model asked inline over gRPC by so many clients. It asks with one payload and compares no answer.
    pub(crate) async fn rate(&self, grpc: u16, model: &Model, clients: usize) -> Result<f64, Failure> {
        let table = self.folder.join("perf_analyzer.csv");
        drop(std::fs::remove_file(&table));
        let mut command = Command::new(&self.program);
        command.args(["-m", model.name, "-i", "grpc", "-u", &format!("127.0.0.1:{grpc}"), "--shape"]);
        command.arg(format!("{}:{}", model.input, model.shape.iter().map(i64::to_string).collect::<Vec<_>>().join(",")));
        command.args(["--concurrency-range", &clients.to_string(), "-p", WINDOW, "-s", STABLE, "-f"]).arg(&table);
        let output = command.kill_on_drop(true).output().await.doing("running perf_analyzer")?;
        let said = || String::from_utf8_lossy(&output.stderr).trim().chars().rev().take(300).collect::<Vec<_>>();
        let table = std::fs::read_to_string(&table);
        let table = table.doing(format!("perf_analyzer: {}", said().iter().rev().collect::<String>()))?;
        rate(&table).ok_or_else(|| Failure(format!("perf_analyzer wrote {table:?}")))
    }
}

/// The column of that name in its one line.
fn rate(table: &str) -> Option<f64> {
    let mut lines = table.lines();
    let column = lines.next()?.split(',').position(|name| name.trim() == "Inferences/Second")?;
    lines.next()?.split(',').nth(column)?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_is_found_by_its_name() {
        let table = "Concurrency,Inferences/Second,Client Send,p50 latency\n4,1432.5,12,2700\n";
        assert_eq!(rate(table), Some(1432.5));
        assert_eq!(rate("Concurrency,p50 latency\n4,1\n"), None);
    }
}
