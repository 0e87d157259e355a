//! What a look found, without its type, and what it should have found.

use serde_json::Value;
use tritondeploy::cloud::{Cloud, Cx};
use tritondeploy::engine::{Fault, Inputs, Observation, Observe, Remedy};

/// What a look found.
#[derive(Debug)]
pub(crate) enum Found {
    Absent,
    Foreign(String),
    Changing(String),
    /// With its state.
    Present(Value),
    Broken(String, Remedy),
}

/// One look of a resource.
pub(crate) async fn look<R: Observe<World = Cloud>>(
    resource: &R,
    cx: &Cx,
    within: &<R::Within as Inputs>::Values,
) -> Result<Found, Fault> {
    Ok(match resource.observe(cx, within).await? {
        Observation::Absent => Found::Absent,
        Observation::Foreign(why) => Found::Foreign(why),
        Observation::Elsewhere(_) => Found::Foreign("elsewhere".to_owned()),
        Observation::Changing { why, .. } => Found::Changing(why),
        Observation::Present(found) => Found::Present(serde_json::to_value(found.actual).expect("JSON")),
        Observation::Broken { why, remedy, .. } => Found::Broken(why, remedy),
    })
}

/// What a recorded answer means to a look.
#[derive(Debug)]
pub(crate) enum Meant {
    Absent,
    /// Of that name, and not ours.
    Foreign,
    /// In this state, in the service's word.
    Changing(String),
    /// With these fields among others.
    Present(Value),
    /// For these reasons, in the service's words.
    Broken(Vec<String>, Remedy),
}

impl Meant {
    /// Whether that was found.
    pub(crate) fn is(&self, found: &Found) -> bool {
        match (self, found) {
            (Self::Absent, Found::Absent) => true,
            (Self::Foreign, Found::Foreign(why)) => !why.is_empty(),
            (Self::Changing(state), Found::Changing(why)) => why.to_lowercase().starts_with(&state.to_lowercase()),
            (Self::Present(wanted), Found::Present(actual)) => {
                wanted.as_object().expect("fields").iter().all(|(name, value)| actual[name] == *value)
            }
            (Self::Broken(words, wanted), Found::Broken(why, remedy)) => {
                remedy == wanted && words.iter().all(|words| why.contains(words))
            }
            _ => false,
        }
    }
}
