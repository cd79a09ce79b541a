//! How long a body may run, and until when.

use std::fmt;
use std::time::{Duration, Instant};

/// What can be said as a limit: seconds as an integer or a float, a [`Duration`], or an `Option`
/// of one of these, where `None` never expires.
///
/// | value | meaning |
/// |---|---|
/// | more than zero | that long, at least one nanosecond |
/// | zero | expired at once: the body is not started |
/// | negative or NaN | [`ErrorKind::InvalidLimit`](crate::ErrorKind::InvalidLimit) when used |
/// | infinity, or more than the clock can hold | never expires |
///
/// ```
/// use std::time::Duration;
/// use timeout_runtime::limit::{IntoLimit, Limit};
///
/// assert_eq!(2.into_limit(), Limit::after(Duration::from_secs(2)));
/// assert_eq!(0.5.into_limit(), Limit::after(Duration::from_millis(500)));
/// assert_eq!(Some(2u64).into_limit(), 2.into_limit());
/// assert_eq!(None::<f64>.into_limit(), Limit::never());
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no limit",
    label = "expected seconds (an integer or a float), a `Duration`, or an `Option` of one of these",
    note = "`None` never expires; write its type, as in `None::<f64>`"
)]
pub trait IntoLimit {
    /// Turns the value into a limit. Never fails: what is no duration is found when it is used.
    fn into_limit(self) -> Limit;
}

/// How long something may take: a duration, or for ever.
#[derive(Clone, Copy, PartialEq)]
pub struct Limit(Kind);

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Never,
    After(Duration),
    /// Kept as it was given, to be named in the error.
    Invalid(f64),
}

/// A limit that is negative or no number.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Invalid(f64);

impl Limit {
    /// The limit that never expires.
    #[must_use]
    pub const fn never() -> Self {
        Self(Kind::Never)
    }

    /// The limit that expires after `duration`.
    #[must_use]
    pub const fn after(duration: Duration) -> Self {
        Self(Kind::After(duration))
    }

    /// The duration, or `None` for ever.
    pub(crate) fn duration(self) -> Result<Option<Duration>, Invalid> {
        match self.0 {
            Kind::Never => Ok(None),
            Kind::After(duration) => Ok(Some(duration)),
            Kind::Invalid(seconds) => Err(Invalid(seconds)),
        }
    }

    /// As it was given, for an error.
    #[cfg(feature = "tokio")]
    pub(crate) fn invalid(Invalid(seconds): Invalid) -> Self {
        Self(Kind::Invalid(seconds))
    }

    fn from_seconds(seconds: f64) -> Self {
        if seconds.is_nan() || seconds < 0.0 {
            return Self(Kind::Invalid(seconds));
        }
        match Duration::try_from_secs_f64(seconds) {
            // Less than the clock can tell is still more than nothing.
            Ok(Duration::ZERO) if seconds > 0.0 => Self::after(Duration::from_nanos(1)),
            Ok(duration) => Self::after(duration),
            Err(_too_long) => Self::never(),
        }
    }
}

impl fmt::Debug for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Kind::Never => f.write_str("never"),
            Kind::After(duration) => fmt::Debug::fmt(&duration, f),
            Kind::Invalid(seconds) => write!(f, "{seconds} s (invalid)"),
        }
    }
}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} s", self.0)
    }
}

impl IntoLimit for Limit {
    fn into_limit(self) -> Limit {
        self
    }
}

impl IntoLimit for Duration {
    fn into_limit(self) -> Limit {
        Limit::after(self)
    }
}

impl<L: IntoLimit> IntoLimit for Option<L> {
    fn into_limit(self) -> Limit {
        self.map_or(Limit::never(), L::into_limit)
    }
}

impl IntoLimit for f64 {
    fn into_limit(self) -> Limit {
        Limit::from_seconds(self)
    }
}

impl IntoLimit for f32 {
    fn into_limit(self) -> Limit {
        Limit::from_seconds(self.into())
    }
}

macro_rules! whole_seconds {
    ($($integer:ty)*) => {$(
        impl IntoLimit for $integer {
            fn into_limit(self) -> Limit {
                match u64::try_from(self) {
                    Ok(seconds) => Limit::after(Duration::from_secs(seconds)),
                    // Only the sign tells below zero from above 2^64.
                    #[allow(unused_comparisons, reason = "the unsigned ones are never below zero")]
                    Err(_) if self < 0 => {
                        #[allow(
                            clippy::cast_precision_loss,
                            clippy::cast_lossless,
                            reason = "the number is only shown"
                        )]
                        Limit(Kind::Invalid(self as f64))
                    }
                    Err(_) => Limit::never(),
                }
            }
        }
    )*};
}

whole_seconds! { i8 i16 i32 i64 i128 isize u8 u16 u32 u64 u128 usize }

/// The instant at which a limit runs out, on the monotonic clock; `None` is never.
///
/// Setting the wall clock moves no deadline, and what the clock cannot hold is never: nothing
/// here overflows or panics, `Duration::MAX` included.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Deadline(Option<Instant>);

impl Deadline {
    pub(crate) const NEVER: Self = Self(None);

    pub(crate) fn after(start: Instant, duration: Option<Duration>) -> Self {
        Self(duration.and_then(|duration| start.checked_add(duration)))
    }

    /// As much later; `None` is never.
    pub(crate) fn and_then(self, duration: Option<Duration>) -> Self {
        self.0.map_or(Self::NEVER, |instant| Self::after(instant, duration))
    }

    /// As much sooner.
    pub(crate) fn before(self, duration: Duration) -> Self {
        Self(self.0.map(|instant| instant.checked_sub(duration).unwrap_or(instant)))
    }

    /// The nearer of two.
    pub(crate) fn min(self, other: Self) -> Self {
        Self(match (self.0, other.0) {
            (Some(one), Some(two)) => Some(one.min(two)),
            (one, two) => one.or(two),
        })
    }

    #[cfg(feature = "tokio")]
    pub(crate) fn instant(self) -> Option<Instant> {
        self.0
    }

    /// The time left: zero when it has passed, `None` for ever.
    pub(crate) fn remaining(self) -> Option<Duration> {
        Some(self.0?.saturating_duration_since(Instant::now()))
    }

    pub(crate) fn has_passed(self) -> bool {
        self.0.is_some_and(|instant| instant <= Instant::now())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_numbers_round_up_and_large_ones_mean_never() {
        assert_eq!(1e-9.into_limit(), Limit::after(Duration::from_nanos(1)));
        assert_eq!(1e-30.into_limit(), Limit::after(Duration::from_nanos(1)));
        assert_eq!(0.05f32.into_limit().duration().unwrap().unwrap().as_millis(), 50);
        for never in [1e300.into_limit(), f64::INFINITY.into_limit(), u128::MAX.into_limit()] {
            assert_eq!(never, Limit::never());
        }
        let start = Instant::now();
        for endless in [u64::MAX.into_limit(), Duration::MAX.into_limit(), i128::MAX.into_limit()] {
            assert_eq!(Deadline::after(start, endless.duration().unwrap()), Deadline::NEVER);
        }
    }

    #[test]
    fn zero_is_a_limit_and_below_zero_is_none() {
        assert_eq!(0.into_limit(), Limit::after(Duration::ZERO));
        assert_eq!((-0.0).into_limit(), Limit::after(Duration::ZERO));
        for invalid in [(-1).into_limit(), f64::NAN.into_limit(), (-1e-9).into_limit()] {
            assert!(invalid.duration().is_err());
        }
        let message = i128::MIN.into_limit().duration().unwrap_err().to_string();
        assert!(message.starts_with("-170141183460469"), "{message}");
    }

    #[test]
    fn the_nearer_deadline_is_the_minimum() {
        let now = Instant::now();
        let near = Deadline::after(now, Some(Duration::from_secs(1)));
        let far = Deadline::after(now, Some(Duration::from_secs(2)));
        assert_eq!(near.min(far), near);
        assert_eq!(Deadline(None).min(far), far);
        assert_eq!(far.min(Deadline(None)), far);
    }
}
