//! `down`, one story each.
