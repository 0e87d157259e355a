//! cluster, access, add-ons, node group.
