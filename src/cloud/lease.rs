//! The lease: one object in the deployment's bucket that says who changes it now. Whoever would change something takes it
//! first; S3's conditional writes let one succeed. It holds no secret.
//!
//! A lease is over when S3's clock says that it was last written more than [`EXPIRES`] ago, both dates taken from one answer
//! of S3: this machine's clock is never asked. Its holder writes it anew every [`Pace::renew`], each time with other content,
//! since an ETag is a digest of it: nobody can take over what was renewed meanwhile.

mod held;
mod object;
mod process;
mod take;

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use self::object::{Done, Object};
use self::process::Process;
use super::Cloud;
use super::aws::Aws;
use crate::engine::Fault;

pub use held::{Held, Released};
pub use take::{NotTaken, take};

/// Where it lies in the bucket.
pub const KEY: &str = "tritondeploy/lease.json";
/// What was not renewed for so long, by S3's clock, holds no more.
pub const EXPIRES: Duration = Duration::from_secs(60);

/// How a lease is kept. Its holder gives up well before anybody else may take it over.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// Between two renewals.
    pub renew: Duration,
    /// Between two looks whether it is still ours: whoever removes a lease by hand may begin at once.
    pub watch: Duration,
    /// Without a renewal for so long no act begins any more; also how long taking it may go unanswered.
    pub give_up: Duration,
    /// Between two tries.
    pub again: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        let seconds = Duration::from_secs;
        Self { renew: seconds(20), watch: seconds(3), give_up: seconds(45), again: seconds(2) }
    }
}

/// Who holds a lease, as it stands in the object. What is missing there is empty here.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Holder {
    /// Of this object's form: 1.
    pub schema: u32,
    /// 128 random bits: which run it is.
    pub id: String,
    /// The caller's ARN.
    pub who: String,
    /// The host's name.
    pub host: String,
    /// What runs: `up`, `down`, `push-models`.
    pub command: String,
    /// When it was taken (RFC 3339), by the holder's clock: for people only.
    pub since: String,
    /// How often it was renewed.
    pub renewals: u64,
    /// The process.
    #[serde(flatten)]
    pub process: Process,
}

impl Holder {
    /// This process, under a new id.
    ///
    /// # Errors
    /// When the system has no random bits.
    pub fn this(who: &str, command: &str) -> Result<Self, Fault> {
        let mut bits = [0; 16];
        let got = rustix::rand::getrandom(&mut bits[..], rustix::rand::GetRandomFlags::empty());
        if !matches!(got, Ok(16)) {
            return Err(Fault::fatal("the system has no random bits for a lease"));
        }
        Ok(Self {
            schema: 1,
            id: tritondeploy_wire::manifest::hex(&bits),
            who: who.to_owned(),
            host: process::host(),
            command: command.to_owned(),
            since: jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
            renewals: 0,
            process: Process::this(),
        })
    }
}

/// Not what moves a terminal's cursor or turns text around.
fn is_shown(c: &char) -> bool {
    *c == ' ' || c.is_ascii_graphic() || c.is_alphanumeric()
}

/// `up by ARN on HOST since TIME`. Anybody who may write to the bucket wrote it.
impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plain = |text: &str, unknown: &str| -> String {
            let text: String = text.chars().filter(is_shown).take(200).collect();
            if text.is_empty() { unknown.to_owned() } else { text }
        };
        let (command, who) = (plain(&self.command, "an unknown command"), plain(&self.who, "somebody"));
        write!(
            f,
            "{command} by {who} on {} since {}",
            plain(&self.host, "an unknown host"),
            plain(&self.since, "an unknown time")
        )
    }
}

/// A lease as it was read.
#[derive(Clone, Debug)]
pub struct Seen {
    /// Who holds it.
    pub holder: Holder,
    /// Which object it was.
    pub(crate) etag: String,
    /// How long ago it was written, by S3's clock, in whole seconds; None where S3 did not tell.
    pub age: Option<Duration>,
}

impl Seen {
    /// Its process ran on this host and does not any more. Two machines that were made from one image while it ran have the
    /// same boot, and not the same name.
    fn is_dead(&self) -> bool {
        self.holder.host == process::host() && self.holder.process.is_dead()
    }

    /// It still holds: it was renewed in time, and its process is not known to be dead.
    #[must_use]
    pub fn is_live(&self) -> bool {
        self.age.is_none_or(|age| age <= EXPIRES) && !self.is_dead()
    }
}

/// Who holds the bucket's lease; None where nobody does, or there is no bucket.
///
/// # Errors
/// When S3 does not tell.
pub async fn read(aws: &Aws, bucket: &str) -> Result<Option<Seen>, Fault> {
    Object::new(aws, bucket).read().await
}

/// Removes the lease that was seen, whatever renewals it had since; false where that run does not hold it any more.
///
/// # Errors
/// When S3 does not do it, or it was renewed each time just before.
pub async fn remove(aws: &Aws, bucket: &str, seen: &Seen) -> Result<bool, Fault> {
    let object = Object::new(aws, bucket);
    let mut etag = seen.etag.clone();
    for _ in 0..5 {
        match object.delete(&etag).await? {
            Done::Yes(_) => return Ok(true),
            Done::NoBucket => return Ok(false),
            Done::No => match object.read().await? {
                Some(now) if now.holder.id == seen.holder.id => etag = now.etag,
                _ => return Ok(false),
            },
        }
    }
    Err(Fault::try_again("the lease is renewed all the time"))
}

/// Makes sure that nobody else changes what is in this bucket.
///
/// # Errors
/// Fatal where another run holds its lease; others where S3 does not tell.
pub async fn check(cloud: &Cloud, bucket: &str) -> Result<(), Fault> {
    if let Some(held) = cloud.holds(bucket) {
        return held.confirm().await;
    }
    match read(&cloud.aws, bucket).await? {
        Some(seen) if seen.is_live() => Err(another(&seen)),
        _ => Ok(()),
    }
}

/// Removes the bucket's lease, the last object to go: ours, or one that is over.
///
/// # Errors
/// Fatal where another run holds it; others where S3 does not do it.
pub async fn end(cloud: &Cloud, bucket: &str) -> Result<(), Fault> {
    let left = match cloud.holds(bucket) {
        Some(held) => match held.release().await? {
            Released::Gone => None,
            Released::NotOurs(seen) => seen.map(|seen| *seen),
        },
        None => read(&cloud.aws, bucket).await?,
    };
    match left {
        Some(seen) if seen.is_live() => Err(another(&seen)),
        Some(seen) if !remove(&cloud.aws, bucket, &seen).await? => {
            Err(Fault::try_again("the bucket's lease changed hands meanwhile"))
        }
        _ => Ok(()),
    }
}

fn another(seen: &Seen) -> Fault {
    Fault::fatal(format!("another run holds the bucket's lease: {}", seen.holder))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_is_flat_json_and_one_of_another_form_is_read_as_far_as_it_is_known() {
        let holder = Holder::this("arn:aws:iam::1:user/a", "up").unwrap();
        let value = serde_json::to_value(&holder).unwrap();
        let keys: Vec<&str> = value.as_object().unwrap().keys().map(String::as_str).collect();
        let all =
            ["schema", "id", "who", "host", "command", "since", "renewals", "boot_id", "pid_namespace", "pid", "process_start"];
        assert_eq!((keys, holder.id.len()), (all.to_vec(), 32));
        let later: Holder = serde_json::from_str(r#"{"schema": 2, "who": "a", "new": [1]}"#).unwrap();
        assert_eq!((later.schema, &*later.who, &*later.id), (2, "a", ""));
        assert_ne!(holder.id, Holder::this("a", "up").unwrap().id);
    }

    #[test]
    fn a_holder_is_told_without_control_characters() {
        let holder = Holder { who: "a\u{1b}[31m\n\u{202e}error".to_owned(), ..Holder::default() };
        let told = "an unknown command by a[31merror on an unknown host since an unknown time";
        assert_eq!(holder.to_string(), told);
    }

    #[test]
    fn a_lease_is_over_after_its_time_by_s3s_clock_and_never_before() {
        let of = |age| Seen { holder: Holder::default(), etag: String::new(), age };
        let seconds = |seconds| Some(Duration::from_secs(seconds));
        assert!(of(seconds(60)).is_live() && of(seconds(0)).is_live() && !of(seconds(61)).is_live());
        assert!(of(None).is_live(), "S3 did not say how old it is");
    }
}
