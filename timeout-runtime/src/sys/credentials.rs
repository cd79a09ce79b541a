//! What this process may do: its users, groups and capabilities (`credentials(7)`).
//!
//! # Safety
//!
//! System calls whose arguments live through them, with as much room as they are told.
#![expect(unsafe_code, reason = "see the heading")]

/// Those of the calling thread, which the C library makes those of all threads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Credentials {
    ids: [u32; 6],
    groups: Vec<u32>,
    capabilities: [u32; 6],
}

impl Credentials {
    /// Whether this process has had others since.
    pub(crate) fn have_changed(&self) -> bool {
        !self.are_for_ever() && *self != Self::now()
    }

    /// Who is one user and nothing more has no way to become another: four system calls less.
    fn are_for_ever(&self) -> bool {
        let [user, effective, saved, group, effective_group, saved_group] = self.ids;
        [effective, saved] == [user; 2]
            && [effective_group, saved_group] == [group; 2]
            && self.capabilities == [0; 6]
    }

    /// Whether a program that is started with these takes itself for one with rights that its caller
    /// does not have (`AT_SECURE` in `getauxval(3)`).
    pub(crate) fn are_mixed(&self) -> bool {
        let [user, effective, _, group, effective_group, _] = self.ids;
        user != effective || group != effective_group
    }

    pub(crate) fn now() -> Self {
        let [mut user, mut effective, mut saved] = [u32::MAX; 3];
        let [mut group, mut effective_group, mut saved_group] = [u32::MAX; 3];
        // SAFETY: see the heading.
        unsafe {
            libc::getresuid(&raw mut user, &raw mut effective, &raw mut saved);
            libc::getresgid(&raw mut group, &raw mut effective_group, &raw mut saved_group);
        }
        let ids = [user, effective, saved, group, effective_group, saved_group];
        Self { ids, groups: groups(), capabilities: capabilities() }
    }
}

/// The supplementary ones: few, so that one call tells.
fn groups() -> Vec<u32> {
    let mut room = [0; 64];
    // SAFETY: see the heading.
    let count = unsafe { libc::getgroups(64, room.as_mut_ptr()) };
    if let Ok(count) = usize::try_from(count) {
        return room[..count].to_vec();
    }
    let most = 1 << 16;
    let mut room = vec![0; 1 << 16];
    // SAFETY: see the heading.
    let count = unsafe { libc::getgroups(most, room.as_mut_ptr()) };
    room.truncate(count.try_into().unwrap_or_default());
    room
}

/// Effective, permitted and inheritable ones (`capget(2)`, which the C library does not wrap). Where a
/// sandbox does not tell, there may be any.
fn capabilities() -> [u32; 6] {
    const VERSION: u32 = 0x2008_0522;
    let mut header = [VERSION, 0];
    let mut sets = [u32::MAX; 6];
    // SAFETY: see the heading: the third version has two words of each of three sets.
    unsafe { libc::syscall(libc::SYS_capget, header.as_mut_ptr(), sets.as_mut_ptr()) };
    sets
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_are_what_the_kernel_says() {
        let now = Credentials::now();
        let status = std::fs::read_to_string("/proc/thread-self/status").unwrap();
        let line = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
            line.split_whitespace().map(str::to_owned).collect::<Vec<_>>()
        };
        let text = |numbers: &[u32]| numbers.iter().map(u32::to_string).collect::<Vec<_>>();
        assert_eq!(text(&now.ids[..3]), line("Uid:")[..3]);
        assert_eq!(text(&now.ids[3..]), line("Gid:")[..3]);
        assert_eq!(text(&now.groups).len(), line("Groups:").len());
        let effective = format!("{:08x}{:08x}", now.capabilities[3], now.capabilities[0]);
        assert_eq!(effective, line("CapEff:")[0]);
        assert!(!now.have_changed());
    }

    #[test]
    fn what_can_change_is_looked_at_again() {
        let other = |ids, bits| Credentials { ids, groups: vec![7], capabilities: [bits; 6] };
        let [user, group] = [u32::MAX - 7, u32::MAX - 8];
        assert!(!other([user, user, user, group, group, group], 0).have_changed());
        assert!(other([user, user, user, group, group, group], 1).have_changed());
        for index in 0..6 {
            let mut ids = [user, user, user, group, group, group];
            ids[index] = 0;
            assert!(other(ids, 0).have_changed());
            assert_eq!(other(ids, 0).are_mixed(), ![2, 5].contains(&index));
        }
    }
}
