//! What a deployment costs while it stands idle.
//!
//! On-demand prices of us-east-1 as AWS published them up to January 2026; other regions differ, so the
//! region is always said with the number.

use crate::cloud::stored::Store;
use crate::config::Config;

/// The region that the prices are of.
pub const PRICED_IN: &str = "us-east-1";
/// Until when they were read.
pub const PRICED_UNTIL: &str = "January 2026";

/// US dollars an hour of a cluster's control plane, and once its version is in extended support
/// (<https://aws.amazon.com/eks/pricing/>).
pub const CLUSTER: f64 = 0.10;
pub const CLUSTER_IN_EXTENDED_SUPPORT: f64 = 0.60;

/// Hours in the average month, as AWS counts them.
const MONTH: f64 = 730.0;

/// US dollars an hour for each part.
#[derive(Clone, Debug)]
pub struct Cost {
    /// What, and dollars an hour.
    pub parts: Vec<(String, f64)>,
    /// Parts whose price is not known.
    pub unknown: Vec<String>,
}

impl Cost {
    /// Dollars an hour of all parts that are known.
    #[must_use]
    pub fn total(&self) -> f64 {
        self.parts.iter().map(|(_, dollars)| dollars).sum()
    }

    /// For scripts.
    #[must_use]
    pub fn json(&self) -> serde_json::Value {
        let part = |(what, usd): &(String, f64)| serde_json::json!({"what": what, "usd_per_hour": usd});
        serde_json::json!({
            "usd_per_hour": self.total(), "parts": self.parts.iter().map(part).collect::<Vec<_>>(), "unknown": self.unknown,
            "priced_in": PRICED_IN, "priced_until": PRICED_UNTIL,
        })
    }

    /// What a sum does not have, after it.
    fn unpriced(&self) -> String {
        if self.unknown.is_empty() { String::new() } else { format!(" and {}", self.unknown.join(", ")) }
    }

    /// In a few words: `about $0.72/h`.
    #[must_use]
    pub fn brief(&self) -> String {
        format!("about ${:.2}/h{}", self.total(), self.unpriced())
    }

    /// One line.
    #[must_use]
    pub fn line(&self, region: &str) -> String {
        let elsewhere = if region == PRICED_IN { String::new() } else { format!("; {region} differs") };
        format!(
            "about ${:.2} an hour{} while idle ({PRICED_IN} on-demand prices up to {PRICED_UNTIL}{elsewhere}; traffic is extra)",
            self.total(),
            self.unpriced()
        )
    }
}

/// The cost of a configuration.
#[must_use]
pub fn of(config: &Config) -> Cost {
    let nodes = f64::from(config.nodes.desired);
    // A balancer has an address in each public subnet, the NAT gateway one.
    let addresses = config.network.public.len() as f64 + 1.0;
    let mut cost = Cost {
        parts: vec![
            ("EKS control plane".to_owned(), CLUSTER),
            ("NAT gateway".to_owned(), 0.045),
            ("network load balancer".to_owned(), 0.0225),
            (format!("{addresses} public IPv4 addresses"), 0.005 * addresses),
            (format!("{} GiB gp3", config.nodes.disk_gib), 0.08 * f64::from(config.nodes.disk_gib) * nodes / MONTH),
        ],
        unknown: Vec::new(),
    };
    match instance(&config.nodes.instance_type) {
        Some(dollars) => cost.parts.push((format!("{nodes} x {}", config.nodes.instance_type), dollars * nodes)),
        None => cost.unknown.push(format!("{nodes} x {} (price not known here)", config.nodes.instance_type)),
    }
    cost
}

/// Linux, on demand (<https://aws.amazon.com/ec2/pricing/on-demand/>), as in the list that Karpenter generates from AWS's price
/// API, of 2026-01-19. T3 is launched as `unlimited`: what runs above its
/// baseline for long costs 0.05 a vCPU and hour more.
const INSTANCES: [(&str, f64); 33] = [
    ("g4dn.xlarge", 0.526),
    ("g4dn.2xlarge", 0.752),
    ("g4dn.4xlarge", 1.204),
    ("g4dn.12xlarge", 3.912),
    ("g5.xlarge", 1.006),
    ("g5.2xlarge", 1.212),
    ("g6.xlarge", 0.8048),
    ("g6.2xlarge", 0.9776),
    // Without a GPU, from 8 GiB on.
    ("t3.large", 0.0832),
    ("t3.xlarge", 0.1664),
    ("t3.2xlarge", 0.3328),
    ("c5.xlarge", 0.17),
    ("c5.2xlarge", 0.34),
    ("c5.4xlarge", 0.68),
    ("c6i.xlarge", 0.17),
    ("c6i.2xlarge", 0.34),
    ("c6i.4xlarge", 0.68),
    ("c7i.xlarge", 0.1785),
    ("c7i.2xlarge", 0.357),
    ("c7i.4xlarge", 0.714),
    ("m5.large", 0.096),
    ("m5.xlarge", 0.192),
    ("m5.2xlarge", 0.384),
    ("m5.4xlarge", 0.768),
    ("m6i.large", 0.096),
    ("m6i.xlarge", 0.192),
    ("m6i.2xlarge", 0.384),
    ("m6i.4xlarge", 0.768),
    ("m7i.large", 0.1008),
    ("m7i.xlarge", 0.2016),
    ("m7i.2xlarge", 0.4032),
    ("m7i.4xlarge", 0.8064),
    ("m7i.8xlarge", 1.6128),
];

fn instance(instance_type: &str) -> Option<f64> {
    INSTANCES.into_iter().find_map(|(name, dollars)| (name == instance_type).then_some(dollars))
}

/// Dollars for a GB (10^9 bytes) that is kept for a month: S3 Standard's first 50 TB (<https://aws.amazon.com/s3/pricing/>),
/// and ECR's private repositories (<https://aws.amazon.com/ecr/pricing/>).
#[must_use]
pub const fn per_gb_month(store: Store) -> f64 {
    match store {
        Store::Bucket => 0.023,
        Store::Repository => 0.10,
    }
}

/// Dollars a month for so many bytes.
#[must_use]
pub fn stored(store: Store, bytes: u64) -> f64 {
    bytes as f64 / 1e9 * per_gb_month(store)
}

/// Requests to S3 (Standard) that a run of `infer` makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct S3 {
    /// ListObjectsV2.
    pub lists: u64,
    /// GetObject.
    pub gets: u64,
    /// Bytes that leave AWS.
    pub downloaded: u64,
}

impl S3 {
    /// Dollars for a thousand LIST requests.
    const LIST: f64 = 0.005;
    /// Dollars for a thousand GET requests.
    const GET: f64 = 0.0004;
    /// Dollars for a GB (10^9 bytes) that goes out to the internet, after the first 100 GB of each month.
    const OUT: f64 = 0.09;

    /// Dollars for the requests.
    #[must_use]
    pub fn requests(&self) -> f64 {
        self.lists as f64 / 1e3 * Self::LIST + self.gets as f64 / 1e3 * Self::GET
    }

    /// Dollars for what leaves AWS, at most.
    #[must_use]
    pub fn transfer(&self) -> f64 {
        self.downloaded as f64 / 1e9 * Self::OUT
    }

    /// For scripts.
    #[must_use]
    pub fn json(&self) -> serde_json::Value {
        serde_json::json!({
            "lists": self.lists, "gets": self.gets, "downloaded_bytes": self.downloaded, "requests_usd": self.requests(),
            "transfer_usd_at_most": self.transfer(), "priced_in": PRICED_IN, "priced_until": PRICED_UNTIL,
        })
    }

    /// One line.
    #[must_use]
    pub fn line(&self, region: &str) -> String {
        let elsewhere = if region == PRICED_IN { String::new() } else { format!("; {region} differs") };
        let transfer = match self.downloaded {
            0 => String::new(),
            bytes => format!(", and at most ${:.4} for {bytes} bytes of videos that leave AWS", self.transfer()),
        };
        format!(
            "S3: {} LIST and {} GET requests, about ${:.4}{transfer} ({PRICED_IN} prices up to {PRICED_UNTIL}{elsewhere})",
            self.lists,
            self.gets,
            self.requests()
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reference_deployment_idles_at_72_cents() {
        assert_eq!(format!("{:.2}", of(&Config::default()).total()), "0.72");
    }

    #[test]
    fn one_without_a_gpu_idles_at_36_cents() {
        let mut config = Config::default();
        config.nodes.instance_type = "t3.xlarge".to_owned();
        assert_eq!(format!("{:.2}", of(&config).total()), "0.36");
    }

    #[test]
    fn a_million_objects_cost_five_thousandths_for_the_lists_and_forty_cents_for_the_gets() {
        let s3 = S3 { lists: 1000, gets: 1_000_000, downloaded: 0 };
        assert_eq!(format!("{:.3}", s3.requests()), "0.405");
        assert!(s3.line("us-east-1").contains("$0.4050 (us-east-1 prices"), "{}", s3.line("us-east-1"));
        let video = S3 { downloaded: 2_000_000_000, ..s3 };
        assert!(video.line("eu-west-1").contains("$0.1800") && video.line("eu-west-1").contains("eu-west-1 differs"));
    }

    #[test]
    fn what_is_not_known_is_said() {
        let mut config = Config::default();
        config.nodes.instance_type = "x9.huge".to_owned();
        assert!(of(&config).line("eu-west-1").contains("x9.huge (price not known here)"));
    }
}
