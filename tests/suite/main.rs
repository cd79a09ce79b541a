//! Everything that is promised, one test an intent. The modules follow the way of a call.

#![cfg_attr(timeout_portable, allow(dead_code, unused_imports, reason = "some tests are left out"))]

mod adversarial;
mod arguments;
mod asynchronous;
mod attribute;
mod bystanders;
mod caller;
mod calls;
mod captured;
mod cooperative;
mod deadline;
mod death;
mod debugging;
#[cfg(not(timeout_portable))]
mod descendants;
mod ending;
mod events;
mod examples;
#[cfg(not(timeout_portable))]
mod family;
mod harness;
#[cfg(not(timeout_portable))]
mod killed;
mod limits;
mod many;
#[cfg(not(timeout_portable))]
mod methods;
mod output;
mod refused;
mod results;
mod shortage;
mod storms;
mod support;
mod values;

#[cfg(not(timeout_portable))]
use self::methods::METHODS;

/// The start methods that there are elsewhere.
#[cfg(timeout_portable)]
const METHODS: [timeout_runtime::StartMethod; 1] = [timeout_runtime::StartMethod::Fork];
