//! One log from the API server, that goes on where it was when the connection is lost.

use std::pin::Pin;
use std::sync::Arc;

use futures::AsyncBufRead;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::api::LogParams;

use super::Source;
use super::line::{self, Line};
use crate::cloud::Cloud;
use crate::cloud::kube::OrFault;
use crate::engine::Fault;
use crate::resources::eks::ClusterOutput;

/// How much of a log is wanted.
#[derive(Clone, Copy, Debug, Default)]
pub struct Asked {
    /// The last lines; None: all.
    pub tail: Option<u32>,
    /// Seconds before now; None: from its beginning.
    pub since: Option<i64>,
}

/// How far a log was read: the time of the last line, and how many lines had that time.
#[derive(Debug, Default)]
struct Position {
    last: Option<Timestamp>,
    lines: u32,
    /// Lines of that time that come again, while the log is read again from that second on.
    again: Option<u32>,
}

impl Position {
    /// The log is read again from the second of the last line on (the API server passes whole seconds on).
    fn reopened(&mut self) {
        self.again = self.last.map(|_| self.lines);
    }

    /// Whether the line is new.
    fn admits(&mut self, at: Option<Timestamp>) -> bool {
        let Some(at) = at.or(self.last) else { return true };
        if let (Some(left), Some(last)) = (&mut self.again, self.last) {
            if at < last {
                return false;
            }
            if at == last && *left > 0 {
                *left -= 1;
                return false;
            }
            if at > last {
                self.again = None;
            }
        }
        self.lines = if self.last == Some(at) { self.lines + 1 } else { 1 };
        self.last = Some(at);
        true
    }
}

type Stream = Pin<Box<dyn AsyncBufRead + Send>>;

/// A log that is being read.
pub struct Reading {
    cloud: Arc<Cloud>,
    cluster: ClusterOutput,
    /// Whose it is.
    pub source: Arc<Source>,
    asked: Asked,
    position: Position,
    stream: Option<Stream>,
}

impl Reading {
    /// Nothing is asked for yet.
    #[must_use]
    pub fn new(cloud: &Arc<Cloud>, cluster: &ClusterOutput, source: Arc<Source>, asked: Asked) -> Self {
        let (cloud, cluster) = (cloud.clone(), cluster.clone());
        Self { cloud, cluster, source, asked, position: Position::default(), stream: None }
    }

    /// The next line that was not handed out before; None at the end of what there is. Asked again it begins anew
    /// behind the last line.
    ///
    /// # Errors
    /// When the log cannot be read; asked again it goes on behind the last line.
    pub async fn next(&mut self, follow: bool) -> Result<Option<Line>, Fault> {
        if self.stream.is_none() {
            self.stream = self.open(follow).await?;
        }
        loop {
            let Some(stream) = &mut self.stream else { return Ok(None) };
            match line::next(stream).await {
                Ok(Some(line)) if self.position.admits(line.at) => return Ok(Some(line)),
                Ok(Some(_)) => {}
                Ok(None) => self.stream = None,
                Err(why) => {
                    self.stream = None;
                    return Err(Fault::try_again(format!("the log of {} was cut off: {why}", self.name())));
                }
            }
        }
    }

    /// Its pod and container.
    #[must_use]
    pub fn name(&self) -> String {
        format!("{}/{}", self.source.pod, self.source.container)
    }

    /// None: the container has no log now.
    async fn open(&mut self, follow: bool) -> Result<Option<Stream>, Fault> {
        // Asked for anew each time: its token ends after some minutes.
        let client = self.cloud.kube.client(&self.cloud.aws, &self.cluster).await?;
        let api: Api<Pod> = Api::namespaced(client, &self.cloud.config.workload.namespace);
        let begins = self.position.last.is_none();
        let params = LogParams {
            container: Some(self.source.container.clone()),
            previous: self.source.previous,
            timestamps: true,
            follow,
            since_time: self.position.last,
            since_seconds: self.asked.since.filter(|_| begins),
            tail_lines: self.asked.tail.filter(|_| begins).map(i64::from),
            ..LogParams::default()
        };
        self.position.reopened();
        match api.log_stream(&self.source.pod, &params).await {
            Ok(stream) => Ok(Some(Box::pin(stream))),
            // It waits to be started, or what ended is no longer kept.
            Err(kube::Error::Api(status)) if status.code == 400 || status.code == 404 => Ok(None),
            Err(why) => Err(why).fault(),
        }
    }

    /// From now on everything that is new is wanted, however long that is.
    pub(super) fn unlimited(&mut self) {
        self.asked.tail = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_read_before_the_connection_was_lost_is_not_read_again() {
        let at = |text: &str| Some(format!("2026-11-30T04:29:{text}Z").parse::<Timestamp>().unwrap());
        let mut position = Position::default();
        for time in ["10.1", "10.2", "10.2"] {
            assert!(position.admits(at(time)));
        }
        // The API server begins with the whole second, and a third line of the same time is new.
        position.reopened();
        let again = ["10.0", "10.1", "10.2", "10.2", "10.2", "10.3"].map(|time| position.admits(at(time)));
        assert_eq!(again, [false, false, false, false, true, true]);
        position.reopened();
        assert_eq!(["10.2", "10.3", "10.4"].map(|time| position.admits(at(time))), [false, false, true]);
    }

    #[test]
    fn a_line_without_a_time_counts_as_of_the_line_before_it() {
        let at = Some("2026-11-30T04:29:10Z".parse::<Timestamp>().unwrap());
        let mut position = Position::default();
        assert!(position.admits(None) && position.admits(at) && position.admits(None));
        position.reopened();
        assert_eq!([at, None, at].map(|at| position.admits(at)), [false, false, true]);
    }
}
