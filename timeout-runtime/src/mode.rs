//! What the variable `TIMEOUT_RUNTIME` says, for people who debug.

use std::ffi::OsStr;
use std::time::Duration;

use crate::limit::{IntoLimit, Limit};
use crate::sys::cell::Published;
use crate::sys::privilege::is_privileged;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Mode {
    Normal,
    /// Limits are so many times as long.
    Scaled(f64),
    /// They never expire.
    Off,
    /// And bodies run in the caller.
    Inline,
}

const VARIABLE: &str = "TIMEOUT_RUNTIME";

/// As it was when it was first asked for, in the caller: in a child the environment's lock may be
/// taken for ever.
fn mode() -> Mode {
    static MODE: Published<Mode> = Published::new();
    *MODE.get_or(|| {
        let Some(value) = std::env::var_os(VARIABLE).filter(|_| !is_privileged()) else {
            return Mode::Normal;
        };
        parse(&value).unwrap_or_else(|| {
            eprintln!(
                "timeout-runtime: {VARIABLE}={} means nothing, and is ignored; expected `scale=` and \
                 a number above zero, `off` or `inline`",
                value.to_string_lossy()
            );
            Mode::Normal
        })
    })
}

fn parse(value: &OsStr) -> Option<Mode> {
    match value.to_str()? {
        "" => Some(Mode::Normal),
        "off" => Some(Mode::Off),
        "inline" => Some(Mode::Inline),
        other => {
            let factor: f64 = other.strip_prefix("scale=")?.parse().ok()?;
            (factor > 0.0 && factor.is_finite()).then_some(Mode::Scaled(factor))
        }
    }
}

/// A limit as it is to be kept.
#[inline]
pub(crate) fn stretched(limit: Limit) -> Limit {
    match mode() {
        Mode::Normal => limit,
        mode => mode.stretch(limit),
    }
}

/// A grace as it is to be kept: what is stopped still ends.
pub(crate) fn scaled(grace: Limit) -> Limit {
    match mode() {
        mode @ Mode::Scaled(_) => mode.stretch(grace),
        _ => grace,
    }
}

/// Whether bodies run in the caller, and not in a child.
#[inline]
pub(crate) fn is_inline() -> bool {
    mode() == Mode::Inline
}

impl Mode {
    #[cold]
    fn stretch(self, limit: Limit) -> Limit {
        match (self, limit.duration()) {
            // What is no duration stays none.
            (Self::Normal, _) | (_, Err(_)) => limit,
            (Self::Scaled(factor), Ok(Some(duration))) => {
                let seconds = duration.as_secs_f64() * factor;
                Duration::try_from_secs_f64(seconds).map_or(Limit::never(), IntoLimit::into_limit)
            }
            (Self::Scaled(_) | Self::Off | Self::Inline, Ok(_)) => Limit::never(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_variable_says_one_of_three_things() {
        let parsed = |text: &str| parse(OsStr::new(text));
        assert_eq!(parsed("scale=10"), Some(Mode::Scaled(10.0)));
        assert_eq!(parsed("scale=0.5"), Some(Mode::Scaled(0.5)));
        assert_eq!(parsed("off"), Some(Mode::Off));
        assert_eq!(parsed("inline"), Some(Mode::Inline));
        for nothing in ["scale=0", "scale=-1", "scale=nan", "scale=inf", "scale", "Off", "on", "10"]
        {
            assert_eq!(parsed(nothing), None, "{nothing}");
        }
    }

    #[test]
    fn limits_are_stretched_and_what_is_none_stays_none() {
        let (two, ten) = (2.into_limit(), Mode::Scaled(5.0));
        assert_eq!(ten.stretch(two), 10.into_limit());
        assert_eq!(ten.stretch(Duration::MAX.into_limit()), Limit::never());
        assert_eq!(ten.stretch(0.into_limit()), 0.into_limit());
        for mode in [Mode::Off, Mode::Inline] {
            assert_eq!(mode.stretch(two), Limit::never());
            assert!(mode.stretch((-1).into_limit()).duration().is_err());
        }
        assert_eq!(Mode::Normal.stretch(two), two);
    }
}
