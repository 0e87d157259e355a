//! The attacks: each was seen to do harm, or is a variant of one that was.

mod bombs;
mod greed;
mod pictures;
mod pipes;
mod scans;
mod silent;

use futures::future::LocalBoxFuture;

use super::attack::Attack;
use crate::failure::Failure;

pub(crate) use pictures::{NOISY, noisy};

/// One attack.
#[derive(Debug)]
pub(crate) struct Row {
    /// For the command line.
    pub(crate) name: &'static str,
    /// For readers.
    pub(crate) title: &'static str,
    /// Goes on until it is dropped.
    pub(crate) run: fn(&Attack) -> LocalBoxFuture<'_, Result<(), Failure>>,
}

/// All attacks, in the order of the report.
pub(crate) const ROWS: &[Row] = &[
    Row { name: "many-models", title: "v1: a tensor of 60 MiB for 64 models that do not exist", run: bombs::many_models },
    Row { name: "same-model", title: "v1: a tensor of 60 MiB for one model, named 64 times", run: bombs::same_model },
    Row { name: "every-model", title: "v1: a tensor of 60 MiB for every model that there is", run: bombs::every_model },
    Row { name: "many-parts", title: "v1: 1,024 tensors of 60 KiB for 64 models that do not exist", run: bombs::many_parts },
    Row { name: "long-text", title: "v1: a text of 60 MiB, an array in a field that nobody knows", run: bombs::long_text },
    Row { name: "long-v0", title: "v0: 30 MiB of \"0,\" as INT64, on 4 connections", run: bombs::long_v0 },
    Row { name: "thin-pictures", title: "v1: 16 PNGs of 1 x 399,455 pixels at once", run: pictures::thin },
    Row { name: "more-thin-pictures", title: "v1: the same on 4 connections", run: pictures::more_thin },
    Row { name: "v0-pipes", title: "v0: 70 connections, 16 photographs by reference in each pipe", run: pipes::run },
    Row { name: "unread-thumbnails", title: "v1: 10 connections, 64 thumbnails each, none is read", run: pictures::unread },
    Row { name: "unread-rounds", title: "v1: the same, and 64 more each second, 256 in all", run: pictures::unread_rounds },
    Row { name: "unread-errors", title: "v1: 300 connections, 264 long errors each, none is read", run: greed::unread_errors },
    Row { name: "long-shapes", title: "v1: 24 connections, 64 shapes of 32,000 lengths wait on each", run: greed::long_shapes },
    Row { name: "hog", title: "v1: one model, 60 requests of one pixel always open", run: greed::hog },
    Row { name: "scans", title: "v1: a JPEG of 4 megapixels in 100 scans, 16 on 2 connections", run: scans::run },
    Row { name: "silent", title: "120 TCP connections a second that say nothing", run: silent::steady },
    Row { name: "silent-burst", title: "1,500 of them at once, then 120 a second", run: silent::burst },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attacks_have_names_of_their_own() {
        let names: std::collections::BTreeSet<_> = ROWS.iter().map(|row| row.name).collect();
        assert_eq!(names.len(), ROWS.len());
    }
}
