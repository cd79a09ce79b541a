//! What can be said as a limit, and what it then means.

use std::time::{Duration, Instant};

use timeout_runtime::{ErrorKind, IntoLimit, Timeout, error::StoppedBy, timeout};

use crate::support::{LONG, spin};

const CONSTANT: f64 = 0.05;
static STATIC: Duration = Duration::from_millis(50);

#[timeout(CONSTANT)]
fn by_constant() {
    spin()
}

#[timeout(STATIC)]
fn by_static() {
    spin()
}

#[timeout(Duration::from_millis(50))]
fn by_duration() {
    spin()
}

#[timeout(limit)]
fn by_parameter(limit: Option<f64>) -> bool {
    limit.is_none() || spin()
}

#[timeout(config.limit * 2.0, grace = config.grace)]
fn by_field(config: &Config) {
    spin()
}

struct Config {
    limit: f64,
    grace: u8,
}

#[test]
fn a_limit_is_any_expression() {
    let limits = [
        by_constant().unwrap_err(),
        by_static().unwrap_err(),
        by_duration().unwrap_err(),
        by_parameter(Some(0.05)).map(|_| ()).unwrap_err(),
        by_field(&Config { limit: 0.025, grace: 1 }).unwrap_err(),
    ];
    for error in limits {
        assert!(error.is_timeout(), "{error}");
        assert_eq!(error.limit(), Some(Duration::from_millis(50)), "{error}");
        assert!(error.elapsed() >= Duration::from_millis(50));
        assert!(error.elapsed() < LONG);
    }
    assert!(by_parameter(None).unwrap());
}

#[test]
fn the_smallest_limit_still_fires() {
    for tiny in [1e-9, 1e-300] {
        assert!(Timeout::new(tiny).run(|| -> u8 { spin() }).unwrap_err().is_timeout());
    }
}

#[test]
fn what_the_clock_cannot_hold_means_never() {
    fn runs(limit: impl IntoLimit) {
        let started = Instant::now();
        let value = Timeout::new(limit).run(|| {
            std::thread::sleep(Duration::from_millis(20));
            7
        });
        assert_eq!(value.unwrap(), 7);
        assert!(started.elapsed() >= Duration::from_millis(20));
    }
    runs(u64::MAX);
    runs(i64::MAX);
    runs(1e300);
    runs(f64::INFINITY);
    runs(Duration::MAX);
    runs(None::<u8>);
    runs(u32::MAX);
}

#[test]
fn zero_is_over_before_it_starts() {
    let mark = std::env::temp_dir().join(format!("timeout-zero-{}", std::process::id()));
    for error in [
        Timeout::new(0).run(|| std::fs::write(&mark, "started").is_ok()).unwrap_err(),
        Timeout::new(0.0).run(|| std::fs::write(&mark, "started").is_ok()).unwrap_err(),
        Timeout::new(Duration::ZERO).start(|| 1).map(|_| ()).unwrap_err(),
    ] {
        assert!(matches!(error.kind(), ErrorKind::TimedOut { stopped_by: StoppedBy::Nothing }));
        assert_eq!(error.exit_code(), 124);
        assert_eq!(error.limit(), Some(Duration::ZERO));
    }
    assert!(!mark.exists());
    assert_eq!(Timeout::new(0).run_or(8, || 9).unwrap(), 8);
}

#[test]
fn a_limit_below_zero_is_invalid() {
    #[timeout(seconds)]
    fn limited(seconds: f64) -> u8 {
        1
    }
    for seconds in [-1.0, f64::NAN, f64::NEG_INFINITY, -1e-300] {
        let error = limited(seconds).unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::InvalidLimit), "{error:?}");
        assert_eq!((error.exit_code(), error.limit()), (125, None));
        let text = error.to_string();
        assert!(text.contains(&seconds.to_string()) && text.contains("zero or more"), "{text}");
    }
    let by_grace = Timeout::new(1).grace(-1).run(|| 1).unwrap_err();
    assert!(by_grace.to_string().contains("its grace of -1 s is no duration"), "{by_grace}");
}

#[cfg(timeout_portable)]
#[test]
fn a_memory_limit_that_cannot_be_kept_is_refused() {
    let error = Timeout::new(LONG).memory(64 << 20).run(|| 1).unwrap_err();
    let ErrorKind::Start(why) = error.kind() else { panic!("{error:?}") };
    assert_eq!(why.kind(), std::io::ErrorKind::Unsupported, "{error}");
}

#[cfg(timeout_portable)]
#[test]
fn a_processor_limit_is_kept_in_whole_seconds() {
    let error = Timeout::new(LONG).cpu(0.5).run(|| -> u8 { spin() }).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::CpuExceeded { .. }), "{error:?}");
    // More than was asked for; the kernel counts this limit by ticks of its clock, which is not exact.
    assert!(error.usage().unwrap().cpu_time() >= Duration::from_millis(600), "{error}");
}
