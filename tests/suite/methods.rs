//! What holds by every start method, in one table: the child may be a copy of the caller (`fork`), this
//! program started afresh (`spawn`), or a process kept for it (`pool`).
//!
//! Most tests say what happens once and ask each method; what a body is to do is an argument, for only
//! arguments reach a child that is no copy.

use timeout_runtime::StartMethod;

mod arguments;
mod asynchronous;
mod attribute;
mod becomes;
mod budget;
mod deadline;
mod ends;
mod executables;
mod hatch;
mod kept;
mod left;
mod nested;
mod nursery;
mod pipes;
mod pool;
pub mod printed;
mod receivers;
mod results;
mod shortage;
mod storms;
mod surroundings;
mod traces;

pub const METHODS: [StartMethod; 3] = [StartMethod::Fork, StartMethod::Spawn, StartMethod::Pool];

/// Those whose child is no copy.
pub const AFRESH: [StartMethod; 2] = [StartMethod::Spawn, StartMethod::Pool];

/// Makes the same items three times: in `NAME::fork`, `NAME::spawn` and `NAME::pool`. They come from a
/// macro that is given the method's name, for the attribute.
macro_rules! three_times {
    ($name:ident, $items:ident) => {
        mod $name {
            pub mod fork {
                #[allow(unused_imports)]
                use super::super::*;
                $items!("fork");
            }
            pub mod spawn {
                #[allow(unused_imports)]
                use super::super::*;
                $items!("spawn");
            }
            pub mod pool {
                #[allow(unused_imports)]
                use super::super::*;
                $items!("pool");
            }
        }
    };
}

/// Runs a block with the names of each of the three.
macro_rules! each {
    ($name:ident, $block:block) => {
        #[allow(clippy::redundant_closure_call)]
        {
            (|| {
                #[allow(unused_imports)]
                use $name::fork::*;
                $block
            })();
            (|| {
                #[allow(unused_imports)]
                use $name::spawn::*;
                $block
            })();
            (|| {
                #[allow(unused_imports)]
                use $name::pool::*;
                $block
            })();
        }
    };
}

use {each, three_times};
