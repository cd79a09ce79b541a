//! Results as people write them: the error crosses whatever its type.

use std::io;

use serde::{Deserialize, Serialize};
use timeout_runtime::Error;
use timeout_runtime::error::RemoteError;

use super::{each, three_times};
use crate::support::spin;

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum Act {
    Return,
    Fail,
    Hang,
}

impl Act {
    pub fn limit(self) -> f64 {
        if self == Act::Hang { 0.2 } else { 60.0 }
    }

    pub fn result<E>(self, error: impl FnOnce() -> E) -> Result<u8, E> {
        match self {
            Act::Return => Ok(1),
            Act::Fail => Err(error()),
            Act::Hang => spin(),
        }
    }
}

#[derive(Debug, PartialEq, thiserror::Error, Serialize, Deserialize)]
pub enum Own {
    #[error("the {0} failed")]
    Failed(String),
    #[error("late")]
    Late,
}

impl From<Error> for Own {
    fn from(error: Error) -> Self {
        if error.is_timeout() { Self::Late } else { Self::Failed(error.to_string()) }
    }
}

macro_rules! results {
    ($start:tt) => {
        #[timeout_runtime::timeout(act.limit(), start = $start)]
        pub fn with_own(act: Act) -> Result<u8, Own> {
            let value = act.result(|| Own::Failed("part".to_owned()))?;
            Ok(value)
        }
        #[timeout_runtime::timeout(act.limit(), start = $start)]
        pub fn with_io(act: Act) -> io::Result<u8> {
            act.result(|| io::Error::from_raw_os_error(libc::ENOENT))
        }
        #[timeout_runtime::timeout(act.limit(), start = $start)]
        pub fn with_anyhow(act: Act) -> anyhow::Result<u8> {
            use anyhow::Context;
            act.result(|| "x".parse::<u8>().unwrap_err()).context("reading")
        }
        #[timeout_runtime::timeout(act.limit(), start = $start)]
        pub fn with_box(act: Act) -> Result<u8, Box<dyn std::error::Error + Send + Sync>> {
            act.result(|| "as told".into())
        }
        #[timeout_runtime::timeout(act.limit(), start = $start)]
        pub fn with_local_box(act: Act) -> Result<u8, Box<dyn std::error::Error>> {
            act.result(|| "as told".into())
        }
    };
}

three_times!(written, results);

#[test]
fn a_written_result_is_kept() {
    each!(written, {
        assert_eq!(with_own(Act::Return), Ok(1));
        assert_eq!(with_own(Act::Fail), Err(Own::Failed("part".to_owned())));
        assert_eq!(with_own(Act::Hang), Err(Own::Late));

        assert_eq!(with_io(Act::Return).unwrap(), 1);
        assert_eq!(with_io(Act::Fail).unwrap_err().raw_os_error(), Some(libc::ENOENT));
        assert_eq!(with_io(Act::Hang).unwrap_err().kind(), io::ErrorKind::TimedOut);

        assert_eq!(with_anyhow(Act::Return).unwrap(), 1);
        let failed = with_anyhow(Act::Fail).unwrap_err();
        let chain: Vec<_> = failed.chain().map(ToString::to_string).collect();
        assert_eq!(chain, ["reading", "invalid digit found in string"]);
        assert!(failed.downcast_ref::<RemoteError>().is_some());
        let hung = with_anyhow(Act::Hang).unwrap_err();
        assert!(hung.downcast_ref::<Error>().unwrap().is_timeout());

        assert_eq!(with_box(Act::Return).unwrap(), 1);
        assert_eq!(with_box(Act::Fail).unwrap_err().to_string(), "as told");
        assert!(with_box(Act::Hang).unwrap_err().downcast_ref::<Error>().unwrap().is_timeout());
        assert_eq!(with_local_box(Act::Fail).unwrap_err().to_string(), "as told");
    });
}
