//! A hostile client beside a polite one. For each attack: does the gateway stay within its memory, does it answer health
//! probes, and how much slower is the polite client?

mod attack;
mod bars;
mod cgroup;
mod delivered;
mod health;
mod measure;
mod memory;
mod peer;
mod polite;
mod rows;
mod table;

use std::fs;
use std::path::PathBuf;

use clap::Args;
use serde::Serialize;
use tritondeploy_gateway::image::Quality;

pub(crate) use attack::{Arguments, run as attack};
use cgroup::Group;
pub(crate) use measure::Groups;
use measure::{ATTACKER, MEMORY, Outcome, Plan, Told};
use polite::Polite;
use rows::{ROWS, Row};

use crate::failure::{Doing, Failure};
use crate::models::RESNET;
use crate::path::v1::Request;
use crate::report::say;
use crate::world::{Contents, World};

/// Photographs in the bucket, and those that the polite client sends.
const PHOTOS: usize = 8;

/// How to attack.
#[derive(Args, Debug)]
pub(crate) struct Options {
    /// Only these attacks; all by default.
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// Of each attack; up to three times as many while the polite client has too few answers.
    #[arg(long, default_value_t = 20.0)]
    seconds: f64,
    /// Of the polite client, alone and beside each attack.
    #[arg(long, default_value_t = 300)]
    answers: usize,
    /// Seconds after each attack in which the memory must be back.
    #[arg(long, default_value_t = 30.0)]
    rest: f64,
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// A file for all that was found.
    #[arg(long)]
    json: Option<PathBuf>,
    /// A file for the table.
    #[arg(long)]
    report: Option<PathBuf>,
}

/// Everything found.
#[derive(Debug, Serialize)]
struct Report {
    /// Why the attacker, or the gateway, has no control group. A run without them does not meet its bars.
    attacker_unlimited: Option<String>,
    gateway_unlimited: Option<String>,
    alone: Told,
    rows: Vec<Outcome>,
}

/// What the attacks need in the bucket.
pub(crate) fn contents() -> Result<Contents, Failure> {
    Ok(Contents { photos: PHOTOS, small: 0, more: vec![(rows::NOISY, rows::noisy(1)?)] })
}

impl Options {
    /// An error for names of attacks that there are not.
    pub(crate) fn check(&self) -> Result<(), Failure> {
        self.only.iter().try_for_each(|name| Row::named(name).map(drop))
    }
}

/// Attacks in all ways; whether all bars are met.
pub(crate) async fn hostile(world: &mut World, groups: &Groups, config: &str, options: &Options) -> Result<bool, Failure> {
    let Options { seconds, answers, rest, seed, .. } = *options;
    let plan = Plan { seconds, answers, rest, seed };
    let unlimited = |group: &Result<Group, Failure>, what: &str| {
        let why = group.as_ref().err()?.to_string();
        say(&format!("NOT LIMITED: {what}: {why}"));
        Some(why)
    };
    let attacker_unlimited = unlimited(&groups.attacker, "the attacker's processor");
    let gateway_unlimited = unlimited(&groups.gateway, "the gateway's memory");
    say(&format!("The attacker has {ATTACKER} of a processor, the gateway {} MiB.", MEMORY >> 20));
    let requests = Request::photos(&world.photos, &RESNET, Quality::Exact)?;
    let polite = Polite::new(world.ports.gateway, requests)?;
    groups.gateway(world, config).await?;
    let alone = Told::of_asked(&polite.ask_alone(answers).await?);
    let mut report = Report { attacker_unlimited, gateway_unlimited, alone, rows: Vec::new() };
    let mut lines = table::head(&report.alone);
    say(&lines);
    for row in ROWS.iter().filter(|row| options.only.is_empty() || options.only.iter().any(|name| name == row.name)) {
        groups.gateway(world, config).await?;
        let outcome = measure::row(world, row, plan, groups, &polite, &report.alone).await;
        let outcome = outcome.map_err(|Failure(why)| Failure(format!("{}: {why}", row.name)))?;
        let line = table::line(&outcome);
        say(&line);
        lines = format!("{lines}\n{line}");
        report.rows.push(outcome);
        // After each attack: what is interrupted leaves what it found.
        report.write(options, &lines)?;
        world.revive_triton()?;
    }
    Ok(report.is_met())
}

impl Report {
    fn write(&self, options: &Options, lines: &str) -> Result<(), Failure> {
        if let Some(file) = &options.json {
            let text = serde_json::to_vec_pretty(self).doing("writing what was found")?;
            fs::write(file, text).doing(file.display())?;
        }
        options.report.as_ref().map_or(Ok(()), |file| fs::write(file, format!("{lines}\n")).doing(file.display()))
    }

    fn is_met(&self) -> bool {
        let limited = self.attacker_unlimited.is_none() && self.gateway_unlimited.is_none();
        limited && self.rows.iter().flat_map(|row| &row.bars).all(|bar| bar.met)
    }
}
