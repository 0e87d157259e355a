//! Sides in alternating blocks: what changes on the machine meanwhile, changes for all of them.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::future::LocalBoxFuture;

use crate::drive::{Block, drive};
use crate::failure::Failure;
use crate::path::Clients;
use crate::processor::{Role, Times, Watched};
use crate::statistics::{Estimate, median, p99, quantile};

/// Not measured: connections grow their windows, processors their clocks.
const WARM_UP: f64 = 0.25;

/// Something that can be asked for some seconds.
pub(crate) trait Side {
    fn run(&mut self, seconds: f64) -> LocalBoxFuture<'_, Result<Block, Failure>>;
}

impl Side for Clients {
    fn run(&mut self, seconds: f64) -> LocalBoxFuture<'_, Result<Block, Failure>> {
        Box::pin(drive(self, seconds))
    }
}

/// A side under its name.
pub(crate) struct Arm {
    pub(crate) name: &'static str,
    pub(crate) side: Box<dyn Side>,
}

impl Arm {
    pub(crate) fn new(name: &'static str, side: impl Side + 'static) -> Self {
        Self { name, side: Box::new(side) }
    }
}

/// How long to measure.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Length {
    /// Blocks of each arm.
    pub(crate) blocks: usize,
    /// Seconds of each block.
    pub(crate) seconds: f64,
}

/// A block, and what it cost whom.
#[derive(Clone, Debug)]
pub(crate) struct Measured {
    rate: f64,
    p50: Duration,
    latencies: Vec<Duration>,
    cpu: BTreeMap<Role, Duration>,
    others: Duration,
    elapsed: Duration,
}

/// All blocks of an arm.
#[derive(Clone, Debug)]
pub(crate) struct Blocks {
    pub(crate) name: &'static str,
    blocks: Vec<Measured>,
}

/// Runs the arms in turn, each time beginning with another one.
pub(crate) async fn alternate(arms: &mut [Arm], length: Length, watched: &[Watched]) -> Result<Vec<Blocks>, Failure> {
    let mut all: Vec<Blocks> = arms.iter().map(|arm| Blocks { name: arm.name, blocks: Vec::new() }).collect();
    for round in 0..length.blocks {
        for turn in 0..arms.len() {
            let number = (round + turn) % arms.len();
            let side = &mut arms[number].side;
            side.run(WARM_UP).await?;
            let before = Times::now(watched)?;
            let block = side.run(length.seconds).await?;
            let after = Times::now(watched)?;
            all[number].blocks.push(measured(block, &before, &after, watched)?);
        }
    }
    Ok(all)
}

fn measured(mut block: Block, before: &Times, after: &Times, watched: &[Watched]) -> Result<Measured, Failure> {
    let rate = block.rate();
    block.latencies.sort_unstable();
    let Some(p50) = quantile(&block.latencies, 0.5) else { return Err(Failure("a block had no answer".to_owned())) };
    let cpu = watched.iter().map(|w| (w.role, after.used(before, w.role))).collect();
    let others = after.others(before);
    Ok(Measured { rate, p50, latencies: block.latencies, cpu, others, elapsed: block.elapsed })
}

impl Blocks {
    /// Answers per second: the median block.
    pub(crate) fn rate(&self) -> f64 {
        median(&mut self.blocks.iter().map(|b| b.rate).collect::<Vec<_>>())
    }

    /// The median of the blocks' medians.
    pub(crate) fn p50(&self) -> Duration {
        Duration::from_secs_f64(median(&mut self.blocks.iter().map(|b| b.p50.as_secs_f64()).collect::<Vec<_>>()))
    }

    /// Of all blocks together, where they have samples enough.
    pub(crate) fn p99(&self) -> Option<Duration> {
        let mut all: Vec<Duration> = self.blocks.iter().flat_map(|b| b.latencies.iter().copied()).collect();
        all.sort_unstable();
        p99(&all)
    }

    /// Answers in all.
    pub(crate) fn samples(&self) -> usize {
        self.blocks.iter().map(|b| b.latencies.len()).sum()
    }

    /// Processor microseconds for each answer.
    pub(crate) fn cpu(&self, role: Role) -> f64 {
        let used: Duration = self.blocks.iter().filter_map(|b| b.cpu.get(&role)).sum();
        used.as_secs_f64() * 1e6 / self.samples() as f64
    }

    /// Processors that everything else on the machine kept busy meanwhile.
    pub(crate) fn others(&self) -> f64 {
        let of = |each: fn(&Measured) -> Duration| self.blocks.iter().map(each).sum::<Duration>().as_secs_f64();
        of(|b| b.others) / of(|b| b.elapsed)
    }

    fn pairs(&self, other: &Self, each: impl Fn(&Measured, &Measured) -> f64) -> Estimate {
        Estimate::median(&self.blocks.iter().zip(&other.blocks).map(|(a, b)| each(a, b)).collect::<Vec<_>>())
    }

    /// This one's rate by the other's.
    pub(crate) fn rate_over(&self, other: &Self) -> Estimate {
        self.pairs(other, |a, b| a.rate / b.rate)
    }

    /// How many microseconds longer this one's median takes.
    pub(crate) fn added(&self, other: &Self) -> Estimate {
        self.pairs(other, |a, b| (a.p50.as_secs_f64() - b.p50.as_secs_f64()) * 1e6)
    }

    /// The same, less what a third one takes in the same round.
    pub(crate) fn added_over(&self, other: &Self, floor: &Self) -> Estimate {
        let rounds = self.blocks.iter().zip(&other.blocks).zip(&floor.blocks);
        let each =
            |((a, b), f): ((&Measured, &Measured), &Measured)| a.p50.as_secs_f64() - b.p50.as_secs_f64() - f.p50.as_secs_f64();
        Estimate::median(&rounds.map(|round| each(round) * 1e6).collect::<Vec<_>>())
    }

    /// A role's processor time for each answer here, by another's there.
    pub(crate) fn cpu_over(&self, role: Role, other: &Self, of_other: Role) -> Estimate {
        let cost = |b: &Measured, role| b.cpu.get(&role).map_or(f64::NAN, Duration::as_secs_f64) / b.latencies.len() as f64;
        self.pairs(other, |a, b| cost(a, role) / cost(b, of_other))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(rate: f64, p50: u64, cpu_ms: u64) -> Measured {
        let latencies = vec![Duration::from_micros(p50); 100];
        let cpu = BTreeMap::from([(Role::Gateway, Duration::from_millis(cpu_ms))]);
        let (others, elapsed) = (Duration::from_millis(500), Duration::from_secs(1));
        Measured { rate, p50: Duration::from_micros(p50), latencies, cpu, others, elapsed }
    }

    #[test]
    fn pairs_are_compared_not_averages() {
        // The machine is twice as fast in the second half; the ratio is the same all along.
        let a = Blocks { name: "a", blocks: vec![block(95.0, 120, 20), block(190.0, 70, 10), block(190.0, 70, 10)] };
        let b = Blocks { name: "b", blocks: vec![block(100.0, 100, 10), block(200.0, 50, 5), block(200.0, 50, 5)] };
        let ratio = a.rate_over(&b);
        assert!((ratio.value - 0.95).abs() < 1e-9 && (ratio.high - ratio.low).abs() < 1e-9, "{ratio:?}");
        assert!((a.added(&b).value - 20.0).abs() < 1e-6);
        assert!((a.cpu_over(Role::Gateway, &b, Role::Gateway).value - 2.0).abs() < 1e-9);
    }

    #[test]
    fn costs_are_told_for_each_answer() {
        let a = Blocks { name: "a", blocks: vec![block(100.0, 100, 20), block(100.0, 100, 40)] };
        assert!((a.cpu(Role::Gateway) - 300.0).abs() < 1e-9);
        assert!((a.others() - 0.5).abs() < 1e-9);
        assert_eq!((a.samples(), a.p99()), (200, None));
    }

    struct Says(&'static str, std::rc::Rc<std::cell::RefCell<Vec<&'static str>>>);

    impl Side for Says {
        fn run(&mut self, seconds: f64) -> LocalBoxFuture<'_, Result<Block, Failure>> {
            if seconds > WARM_UP {
                self.1.borrow_mut().push(self.0);
            }
            Box::pin(async { Ok(Block { elapsed: Duration::from_millis(1), latencies: vec![Duration::from_millis(1)] }) })
        }
    }

    #[tokio::test]
    async fn no_arm_is_always_first() {
        let said = std::rc::Rc::default();
        let mut arms = [Arm::new("a", Says("a", std::rc::Rc::clone(&said))), Arm::new("b", Says("b", std::rc::Rc::clone(&said)))];
        alternate(&mut arms, Length { blocks: 4, seconds: 1.0 }, &[]).await.unwrap();
        assert_eq!(said.borrow().join(""), "abbaabba");
    }
}
