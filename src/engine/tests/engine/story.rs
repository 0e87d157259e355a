//! A random case, told as a story: what there is, what goes wrong, how the walk ends.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

use crate::cloud::Cloud;
use crate::mishap::{Act, Mishap, NEVER};
use crate::object::name;
use crate::spec::{Fate, Role, Spec};

/// The longest that anything is hidden, in seconds; what `hides` beyond that, for as much longer.
pub const HIDDEN: u64 = 20;
const LONGER: u64 = 35;

/// What ends the walk.
#[derive(Clone, Copy, Debug)]
pub enum End {
    /// Nothing: it goes to its end.
    Own,
    /// A crash, before or after this call is applied.
    Killed { call: usize, applied: bool },
    /// The user.
    Stopped { call: usize },
    /// Its gate.
    Shut { call: usize },
}

#[derive(Clone)]
pub struct Case {
    pub specs: Vec<Spec>,
    /// There from the beginning, and of another size than is wanted.
    pub there: Vec<bool>,
    pub mishaps: Vec<Mishap>,
    pub end: End,
    pub seed: u64,
}

impl Case {
    pub fn cloud(&self) -> Arc<Cloud> {
        Arc::new(Cloud::new(self.specs.clone(), self.seed))
    }

    /// One of each that is made by us.
    pub fn wanted(&self) -> Vec<usize> {
        self.specs.iter().map(|spec| usize::from(spec.role == Role::Made)).collect()
    }

    /// All that is made by us is there, since a while.
    pub async fn build_all(&self, cloud: &Cloud) {
        self.build(cloud, 3, |_| true).await;
    }

    /// What is said to be there, with all that it needs.
    pub async fn build_some(&self, cloud: &Cloud) {
        let mut there: BTreeSet<usize> = (0..self.specs.len()).filter(|&at| self.there[at]).collect();
        for at in (0..self.specs.len()).rev().filter(|&at| self.specs[at].role == Role::Made) {
            if there.contains(&at) {
                there.extend(self.specs[at].needs());
            }
        }
        self.build(cloud, 2, |at| there.contains(&at)).await;
    }

    async fn build(&self, cloud: &Cloud, size: u64, there: impl Fn(usize) -> bool) {
        for (at, spec) in self.specs.iter().enumerate().filter(|(at, spec)| spec.role == Role::Made && there(*at)) {
            cloud.put(at, &spec.within, &spec.uses, size);
        }
        tokio::time::sleep(Duration::from_secs(HIDDEN)).await;
    }

    /// Without the mishaps that are not meant.
    pub fn only(mut self, meant: impl Fn(&Mishap) -> bool) -> Self {
        self.mishaps.retain(meant);
        self
    }

    /// Services without names and tokens hide what is new for longer than a walk waits for it.
    pub fn with_slow_services(mut self) -> Self {
        let slow = self.specs.iter_mut().filter(|spec| !spec.named && !spec.tokens);
        slow.for_each(|spec| spec.hidden += LONGER);
        self
    }
}

/// It passes, and does not keep a walk from its end.
pub fn passes(mishap: &Mishap) -> bool {
    match mishap {
        Mishap::Throttled { .. } | Mishap::Lost { .. } | Mishap::LooksLost { .. } | Mishap::Late { .. } => true,
        Mishap::DeletionFails { times, .. } => *times != NEVER,
        _ => false,
    }
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, spec) in self.specs.iter().enumerate() {
            writeln!(f, "- {}{spec}{}", name(at), if self.there[at] { "; it may be there before" } else { "" })?;
        }
        self.mishaps.iter().try_for_each(|mishap| writeln!(f, "- {mishap}"))?;
        match self.end {
            End::Own => {}
            End::Killed { call, applied } => {
                writeln!(
                    f,
                    "- the walk is killed in its call {call}, {} it is applied",
                    if applied { "after" } else { "before" }
                )?;
            }
            End::Stopped { call } => writeln!(f, "- the user stops the walk during its call {call}")?,
            End::Shut { call } => writeln!(f, "- the walk loses its leave to act during its call {call}")?,
        }
        write!(f, "- seed {}", self.seed)
    }
}

impl fmt::Debug for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

fn spec() -> impl Strategy<Value = (Spec, [Vec<Index>; 3])> {
    let edges = |most| vec(any::<Index>(), 0..=most);
    let times = (0..40_u64, 0..12_u64, 0..40_u64, prop_oneof![3 => Just(0), 1 => 0..HIDDEN], 0..20_u64);
    let kinds = (0..4_u8, any::<[bool; 4]>(), 0..10_u8, 0..12_u8, 150..600_u64);
    ((edges(1), edges(2), edges(1)), times, kinds).prop_map(|((within, uses, after), times, kinds)| {
        let (making, changing, ending, hidden, lingers) = times;
        let (steps, [ends_with_parent, early, named, tokens], fate, role, patience) = kinds;
        let fate = match fate {
            9 => Fate::BreaksOnce,
            8 => Fate::Ails,
            _ => Fate::Well,
        };
        let role = if role == 11 { Role::Watched } else { Role::Made };
        let spec = Spec {
            making,
            changing,
            ending,
            hidden,
            lingers,
            steps,
            early,
            named,
            tokens: named && tokens,
            ends_with_parent,
            fate,
            role,
            size: 3,
            appears: changing,
            patience,
            ..Spec::new()
        };
        (spec, [within, uses, after])
    })
}

/// Which it is, which object, how often, when and for how long, and two choices.
type Drawn = (u8, Index, u32, u64, u64, [bool; 2], u8);

fn mishap((which, object, times, after, lasts, [one, other], act): Drawn, specs: &[Spec]) -> Option<Mishap> {
    let pick = |able: &dyn Fn(&Spec) -> bool| {
        let able: Vec<usize> = (0..specs.len()).filter(|&at| specs[at].role == Role::Made && able(&specs[at])).collect();
        (!able.is_empty()).then(|| able[object.index(able.len())])
    };
    let at = pick(&|_| true);
    let nameless = pick(&|spec| !spec.named && !spec.tokens);
    let act = [Act::Create, Act::Delete, Act::Delete, Act::Delete, Act::Update][usize::from(act)];
    Some(match which {
        0 => Mishap::Throttled { at: at?, times },
        1 | 2 => Mishap::Lost { at: if one { nameless.or(at) } else { at }?, act, times, applied: other },
        4 => Mishap::LooksLost { at: at?, times },
        // Whoever makes it once more makes a twin.
        3 | 14 | 15 | 17 | 20 | 21 => Mishap::Lost { at: nameless.or(at)?, act: Act::Create, times, applied: true },
        5 | 16 => Mishap::Blind { at: at?, from: after % 20, lasts },
        6 | 7 => Mishap::Late { at: at?, by: 1 + u64::from(times) },
        8 | 9 => Mishap::DeletionFails { at: at?, times: times.min(2), quietly: one },
        // What ends with its parent goes with it in any case.
        10 => Mishap::DeletionFails { at: pick(&|spec| !spec.ends_with_parent)?, times: NEVER, quietly: false },
        11 => Mishap::Vanishes { at: at?, after: after % 30 },
        12 => Mishap::TurnsForeign { at: at?, after: after % 30 },
        _ => Mishap::Doubled { at: nameless?, after: after % 30 },
    })
}

fn end() -> impl Strategy<Value = End> {
    let call = 1..70_usize;
    prop_oneof![
        2 => Just(End::Own),
        1 => (call.clone(), any::<bool>()).prop_map(|(call, applied)| End::Killed { call, applied }),
        1 => call.clone().prop_map(|call| End::Stopped { call }),
        1 => call.prop_map(|call| End::Shut { call }),
    ]
}

pub fn case() -> impl Strategy<Value = Case> {
    let mishaps = vec((0..22_u8, any::<Index>(), 1..4_u32, 0..60_u64, 5..300_u64, any::<[bool; 2]>(), 0..5_u8), 0..13);
    (vec((spec(), prop::bool::weighted(0.2)), 1..11), mishaps, end(), any::<u64>()).prop_map(|(drawn, mishaps, end, seed)| {
        let (mut specs, mut there): (Vec<Spec>, Vec<bool>) = Default::default();
        for ((mut spec, edges), is_there) in drawn {
            let pick = |indices: &[Index], what: &dyn Fn(&Spec) -> bool| {
                let able: Vec<usize> = (0..specs.len()).filter(|&id| what(&specs[id])).collect();
                let picked = indices.iter().filter(|_| !able.is_empty()).map(|index| able[index.index(able.len())]);
                picked.collect::<BTreeSet<usize>>().into_iter().collect::<Vec<usize>>()
            };
            let made = |spec: &Spec| spec.role == Role::Made;
            spec.within = pick(&edges[0], &made);
            spec.uses = pick(&edges[1], &made);
            spec.after = pick(&edges[2], &|_| true);
            spec.ends_with_parent &= !spec.within.is_empty();
            specs.push(spec);
            there.push(is_there);
        }
        let mut mishaps: Vec<Mishap> = mishaps.into_iter().filter_map(|drawn| mishap(drawn, &specs)).collect();
        // A deletion is asked for three times in all.
        let mut failing = BTreeSet::new();
        mishaps.retain(|mishap| !matches!(mishap, Mishap::DeletionFails { .. }) || failing.insert(mishap.at()));
        Case { specs, there, mishaps, end, seed }
    })
}
