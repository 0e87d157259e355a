//! The regions that AWS had when this version was made: only to say what was meant by one that is not among them.

/// AWS General Reference, "AWS service endpoints"; with China, GovCloud and the European Sovereign Cloud.
const KNOWN: [&str; 39] = [
    "af-south-1",
    "ap-east-1",
    "ap-east-2",
    "ap-northeast-1",
    "ap-northeast-2",
    "ap-northeast-3",
    "ap-south-1",
    "ap-south-2",
    "ap-southeast-1",
    "ap-southeast-2",
    "ap-southeast-3",
    "ap-southeast-4",
    "ap-southeast-5",
    "ap-southeast-6",
    "ap-southeast-7",
    "ca-central-1",
    "ca-west-1",
    "cn-north-1",
    "cn-northwest-1",
    "eu-central-1",
    "eu-central-2",
    "eu-north-1",
    "eu-south-1",
    "eu-south-2",
    "eu-west-1",
    "eu-west-2",
    "eu-west-3",
    "eusc-de-east-1",
    "il-central-1",
    "me-central-1",
    "me-south-1",
    "mx-central-1",
    "sa-east-1",
    "us-east-1",
    "us-east-2",
    "us-gov-east-1",
    "us-gov-west-1",
    "us-west-1",
    "us-west-2",
];

/// The known region that is spelled most alike; None: this one is known.
pub(super) fn nearest(region: &str) -> Option<&'static str> {
    if KNOWN.contains(&region) {
        return None;
    }
    let region = region.to_ascii_lowercase();
    KNOWN.into_iter().min_by_key(|known| strsim::damerau_levenshtein(&region, known))
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn the_region_that_was_meant() {
        assert_eq!(nearest("us-east-1"), None);
        assert_eq!(nearest("us-esat-1"), Some("us-east-1"));
        assert_eq!(nearest("EU-Central-1"), Some("eu-central-1"));
        assert_eq!(nearest("eu-central1"), Some("eu-central-1"));
    }
}
