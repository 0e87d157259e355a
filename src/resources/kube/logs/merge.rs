//! Several logs as one, by time.

use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use jiff::Timestamp;
use tokio::time::sleep;

use super::{Entry, Line, News, Reading, Source};
use crate::engine::{Fault, FaultKind};

/// A log that is lost so often in a row is given up.
const TRIES: u32 = 3;

/// Where lines of one source come from.
pub trait Lines: Send {
    /// Whose they are.
    fn source(&self) -> Arc<Source>;
    /// The next line; None at the end.
    fn line(&mut self) -> impl Future<Output = Result<Option<Line>, Fault>> + Send;
}

impl Lines for Reading {
    fn source(&self) -> Arc<Source> {
        self.source.clone()
    }

    async fn line(&mut self) -> Result<Option<Line>, Fault> {
        let mut tries = 0;
        loop {
            match self.next(false).await {
                Err(fault) if fault.kind == FaultKind::TryAgain && tries < TRIES => {
                    tries += 1;
                    sleep(Duration::from_secs(u64::from(tries))).await;
                }
                answer => return answer,
            }
        }
    }
}

/// Logs, each in its own order, handed out as one by time. Of each one line is held.
pub struct Merge<L> {
    logs: Vec<L>,
    heads: Vec<Head>,
}

enum Head {
    /// It has not been read since its last line was handed out.
    Unread,
    Line(Line),
    Ended,
}

impl<L: Lines> Merge<L> {
    /// Merges these.
    #[must_use]
    pub fn of(logs: Vec<L>) -> Self {
        let heads = logs.iter().map(|_| Head::Unread).collect();
        Self { logs, heads }
    }

    /// The next line of all of them, or why one of them ends too early; None at the end of all.
    pub async fn next(&mut self) -> Option<News> {
        let unread = self.logs.iter_mut().zip(&mut self.heads).filter(|(_, head)| matches!(head, Head::Unread));
        let read = unread.map(async |(log, head)| {
            let line = log.line().await;
            let (next, failed) = match line {
                Ok(Some(line)) => (Head::Line(line), None),
                Ok(None) => (Head::Ended, None),
                Err(why) => (Head::Ended, Some(format!("{}/{}: {why}", log.source().pod, log.source().container))),
            };
            *head = next;
            failed
        });
        if let Some(note) = join_all(read).await.into_iter().flatten().reduce(|all, one| format!("{all}; {one}")) {
            return Some(News::Note(note));
        }
        let time = |head: &Head| match head {
            // What has no time comes before what is behind it in its log.
            Head::Line(line) => Some(line.at.unwrap_or(Timestamp::MIN)),
            Head::Unread | Head::Ended => None,
        };
        let first = self.heads.iter().enumerate().filter_map(|(at, head)| Some((time(head)?, at))).min()?.1;
        match std::mem::replace(&mut self.heads[first], Head::Unread) {
            Head::Line(line) => Some(News::Entry(Entry { source: self.logs[first].source(), line })),
            Head::Unread | Head::Ended => None,
        }
    }

    /// The logs, behind the last line that was handed out of each.
    #[must_use]
    pub fn into_logs(self) -> Vec<L> {
        self.logs
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Given(&'static str, Vec<Result<Line, Fault>>);

    impl Lines for Given {
        fn source(&self) -> Arc<Source> {
            let (pod, uid, container) = ("p".to_owned(), String::new(), self.0.to_owned());
            Arc::new(Source { pod, uid, container, previous: false })
        }

        async fn line(&mut self) -> Result<Option<Line>, Fault> {
            if self.1.is_empty() { Ok(None) } else { self.1.remove(0).map(Some) }
        }
    }

    fn line(second: &str, text: &str) -> Result<Line, Fault> {
        let at = (!second.is_empty()).then(|| format!("2026-11-30T04:29:{second}Z").parse().unwrap());
        Ok(Line { at, text: text.to_owned(), cut: 0 })
    }

    async fn all(logs: Vec<Given>) -> Vec<String> {
        let (mut merge, mut told) = (Merge::of(logs), Vec::new());
        while let Some(news) = merge.next().await {
            told.push(match news {
                News::Entry(entry) => format!("{} {}", entry.source.container, entry.line.text),
                News::Note(note) => note,
            });
        }
        told
    }

    #[tokio::test]
    async fn lines_of_several_logs_come_by_time_and_each_log_keeps_its_order() {
        let gateway = Given("gateway", vec![line("10.5", "b"), line("", "b, still"), line("12", "d")]);
        let triton = Given("triton", vec![line("10.25", "a"), line("11", "c")]);
        let merged = all(vec![gateway, Given("sync", Vec::new()), triton]).await;
        assert_eq!(merged, ["triton a", "gateway b", "gateway b, still", "triton c", "gateway d"]);
    }

    #[tokio::test]
    async fn a_log_that_fails_is_told_and_the_others_go_on() {
        let lost = Given("triton", vec![line("01", "a"), Err(Fault::try_again("cut off".to_owned())), line("09", "never")]);
        let merged = all(vec![lost, Given("gateway", vec![line("02", "b")])]).await;
        assert_eq!(merged, ["triton a", "p/triton: cut off", "gateway b"]);
    }
}
