//! How many NVIDIA GPUs an instance type has: every pod takes one.

/// None where this version does not know the type (or it has a part of a GPU): EC2 and Kubernetes decide then.
///
/// Source: EC2 guide, "Specifications for Amazon EC2 accelerated computing instances".
pub(super) fn of(instance_type: &str) -> Option<i32> {
    let (family, size) = instance_type.split_once('.')?;
    let small = ["xlarge", "2xlarge", "4xlarge", "8xlarge"].contains(&size);
    match (family, size) {
        ("g4dn", "16xlarge") | ("g5" | "g6" | "g6e", "16xlarge") | ("p3", "2xlarge") | ("p5", "4xlarge") => Some(1),
        ("g4dn" | "g5" | "g6" | "g6e" | "g7" | "g7e" | "gr6", _) if small => Some(1),
        ("g7" | "g7e", "12xlarge") => Some(2),
        ("g4dn" | "g5" | "g6" | "g6e", "12xlarge") | ("g5" | "g6" | "g6e" | "g7" | "g7e", "24xlarge") | ("p3", "8xlarge") => {
            Some(4)
        }
        ("g4dn", "metal") | ("g5" | "g6" | "g6e" | "g7" | "g7e", "48xlarge") | ("p3", "16xlarge") => Some(8),
        ("p3dn" | "p4d" | "p4de", "24xlarge") | ("p5" | "p5e" | "p5en" | "p6-b200" | "p6-b300", "48xlarge") => Some(8),
        // AMD's.
        ("g4ad", _) => Some(0),
        // NVIDIA's are all in families of these two letters.
        _ if !family.starts_with(['g', 'p']) => Some(0),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::of;

    #[test]
    fn the_gpus_of_an_instance_type() {
        for (instance_type, gpus) in [
            ("g4dn.xlarge", Some(1)),
            ("g4dn.12xlarge", Some(4)),
            ("g4dn.metal", Some(8)),
            ("g6e.48xlarge", Some(8)),
            ("g7e.12xlarge", Some(2)),
            ("p5.4xlarge", Some(1)),
            ("p4d.24xlarge", Some(8)),
            ("m7i.large", Some(0)),
            ("g4ad.xlarge", Some(0)),
            ("g6f.large", None),
            ("g99.xlarge", None),
            ("nonsense", None),
        ] {
            assert_eq!(of(instance_type), gpus, "{instance_type}");
        }
    }
}
