//! How many files this process may have open: each connection is one.

use rlimit::Resource;

/// Raises the soft limit to the hard limit, which is as far as a process may go by itself. Returns the limit.
///
/// # Errors
/// When the system refuses; the limit is unchanged then.
pub fn raise() -> std::io::Result<u64> {
    let (soft, hard) = Resource::NOFILE.get()?;
    if soft < hard {
        Resource::NOFILE.set(hard, hard)?;
    }
    Ok(hard)
}
