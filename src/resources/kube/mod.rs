//! what runs in the cluster.
