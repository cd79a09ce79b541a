/// The kernel ends this process when the thread that forked it ends (`PR_SET_PDEATHSIG`). A caller
/// that ended before this is noticed at the gate of the fork.
pub(crate) fn die_with_caller() {
    let _ = nix::sys::prctl::set_pdeathsig(nix::sys::signal::SIGKILL);
}
