//! What a run leaves: its journal, and what is made from that.

pub(super) mod record;
