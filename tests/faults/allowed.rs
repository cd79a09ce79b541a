//! What may come of a fault.

use super::plan::{Call, FOR_EVER, Fault, Plan, Side};
use super::scenario::{Body, Outcome, Scenario};

/// The rule: the same as without the fault, or `Start` (the scenario has seen that the body did not
/// run then). The exceptions, each with its reason:
pub fn is_allowed(scenario: Scenario, plan: Plan, outcome: &Outcome) -> bool {
    let Plan { call, side, fault, times, .. } = plan;
    let expected = scenario.end();
    let has_failed = fault != Fault::Short;
    is_expected(scenario, outcome)
        || match outcome {
            Outcome::Start(_) => true,
            // What cannot be read is no value, and no other end.
            Outcome::Decode => {
                call == Call::Read && side == Side::Caller && fault == Fault::Fails(libc::EIO)
            }
            // What cannot be written is no value; `fstat` tells that the pipe is still the pipe.
            Outcome::Encode => {
                has_failed
                    && side == Side::Child
                    && matches!(call, Call::Write | Call::Fstat)
                    && expected == Outcome::Value
            }
            // Nothing more can be written, or only a part was: the code of the exit is all that tells.
            Outcome::Exited(125) => call == Call::Write && expected == Outcome::Value,
            Outcome::Exited(101) => {
                call == Call::Write && times == FOR_EVER && expected == Outcome::Panicked
            }
            // SIGTERM was not sent, or is held back.
            Outcome::Sigkill => {
                scenario.body == Body::Hangs
                    && matches!(call, Call::PidfdSignalGroup | Call::Kill | Call::Mask)
            }
            _ => false,
        }
}

/// Without a fault. A limit that is short may run out on a busy machine before the body begins.
pub fn is_expected(scenario: Scenario, outcome: &Outcome) -> bool {
    let is_short = matches!(scenario.body, Body::Hangs | Body::HangsWithoutGrace);
    *outcome == scenario.end() || (is_short && *outcome == Outcome::Late)
}

/// What is not tried.
pub fn is_tried(scenario: Scenario, plan: &Plan) -> bool {
    match plan.call {
        // Without an alarm the child waits for the stream until the deadline.
        Call::Setitimer | Call::Sigaction | Call::Mask if scenario.body == Body::Contended => false,
        // The alarm could be set: so it can be taken back.
        Call::Setitimer => plan.nth == 0,
        // It ends a child that waits at the gate: nothing can refuse that.
        Call::Kill => scenario.end() != Outcome::Start(libc::EMFILE),
        // One for each signal, before there is a body.
        Call::Sigaction => scenario.body == Body::Small,
        _ => true,
    }
}
