//! Every cloud object we make: one object, one file.

pub mod eks;
pub mod iam;
pub mod kube;
pub mod network;
pub mod proof;
pub mod registry;
pub mod storage;
