//! `plan` and `up`, one story each.
