//! `test`: a deployment, or any server, checked from outside.

use super::Start;
use crate::cli::Test;
use crate::error::Error;

pub(super) async fn run(_start: &Start, _test: Test) -> Result<(), Error> {
    Err(Error::failed("not built yet", ""))
}
