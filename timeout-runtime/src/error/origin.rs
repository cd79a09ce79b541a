use std::num::NonZeroU64;
use std::sync::atomic::{AtomicU64, Ordering};

/// Which cooperative timeout an error is of, or that it is of a scope; what comes of a plain function
/// is of none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Origin(NonZeroU64);

impl Origin {
    /// Of all scopes: nobody asks which.
    pub(crate) const SCOPE: Self = Self(NonZeroU64::MAX);

    pub(crate) fn next() -> Self {
        static LAST: AtomicU64 = AtomicU64::new(0);
        Self(NonZeroU64::MIN.saturating_add(LAST.fetch_add(1, Ordering::Relaxed)))
    }
}
