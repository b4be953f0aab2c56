//! How much memory is free, asked before something large is begun.

use sysinfo::System;
use thiserror::Error;

/// Something would not fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("{} of memory are needed and {} are free; close other programs", readable(*needed), readable(*free))]
pub struct NotEnoughMemory {
    /// Bytes that are needed.
    pub needed: u64,
    /// Bytes that are free.
    pub free: u64,
}

/// Refuses `needed` bytes if fewer are free; where the system does not tell, nothing is refused.
///
/// # Errors
/// With both figures.
pub(crate) fn check(needed: u64) -> Result<(), NotEnoughMemory> {
    match free() {
        Some(free) if needed > free => Err(NotEnoughMemory { needed, free }),
        _ => Ok(()),
    }
}

/// Bytes that programs can still have, within the limits that this one runs under.
fn free() -> Option<u64> {
    let mut system = System::new().ok()?;
    system.refresh_memory();
    let limits = system.cgroup_limits().map(|limits| limits.free_memory);
    let free = limits.map_or(system.available_memory(), |free| free.min(system.available_memory()));
    (free > 0).then_some(free)
}

fn readable(bytes: u64) -> String {
    let mib = bytes as f64 / f64::from(1 << 20);
    if mib < 1024.0 { format!("{mib:.0} MiB") } else { format!("{:.1} GiB", mib / 1024.0) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_is_refused_with_the_figures() {
        assert_eq!(check(1 << 20), Ok(()));
        let refused = check(u64::MAX / 2).expect_err("more than any computer has");
        assert!(refused.free > 1 << 20);
        let refused = NotEnoughMemory { needed: 3 << 30, free: 700 << 20 };
        assert_eq!(refused.to_string(), "3.0 GiB of memory are needed and 700 MiB are free; close other programs");
    }
}
