//! Hard timeouts for any function.
pub mod error;
pub mod limit;

#[doc(hidden)]
#[path = "attribute.rs"]
pub mod __private;
mod body;
mod call;
mod child;
mod codec;
mod frame;
mod panic;
mod start;
mod sys;
mod timeout;
mod trace;
mod watch;

pub use timeout_macro::timeout;

pub use crate::body::{remaining, stopping};
pub use crate::call::Call;
pub use crate::error::{Error, ErrorKind};
pub use crate::limit::IntoLimit;
pub use crate::start::StartMethod;
pub use crate::timeout::Timeout;
