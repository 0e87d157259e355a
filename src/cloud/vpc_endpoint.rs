//! A VPC endpoint, as EC2 tells of it.

use aws_sdk_ec2::types::{State, VpcEndpoint};

/// An endpoint's state. The model writes `Available`, the service `available` and `pendingAcceptance`: the SDK's enum knows
/// none of these.
#[must_use]
pub fn state(endpoint: &VpcEndpoint) -> Option<State> {
    let told = endpoint.state()?.as_str();
    Some(
        State::values()
            .iter()
            .find(|known| known.eq_ignore_ascii_case(told))
            .map_or_else(|| State::from(told), |known| State::from(*known)),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_is_known_in_the_services_own_case() {
        let of = |told: &str| state(&VpcEndpoint::builder().state(State::from(told)).build());
        assert_eq!(["available", "Deleted", "deleting"].map(of), [State::Available, State::Deleted, State::Deleting].map(Some));
        assert_eq!(["pendingAcceptance", "failed"].map(of), [State::PendingAcceptance, State::Failed].map(Some));
        assert_eq!(state(&VpcEndpoint::builder().build()), None);
    }
}
