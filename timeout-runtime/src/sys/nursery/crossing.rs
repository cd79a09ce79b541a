//! What crosses between a caller and its nursery: a request with descriptors (`SCM_RIGHTS` in
//! `unix(7)`), and a number as its answer.
//!
//! # Safety
//!
//! Headers of messages whose parts live through the calls. The room for descriptors is aligned as its
//! head asks for, and holds as many as are ever sent.
#![expect(unsafe_code, reason = "see the heading")]

use std::os::fd::{AsRawFd, BorrowedFd};
use std::ptr;

use nix::errno::Errno;

use crate::sys::retry;

/// The standard streams come first.
pub(super) const STANDARD: usize = 3;

/// With requests, results, hatch and slate.
const MOST: usize = STANDARD + 4;

/// What a nursery is told, beside the descriptors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Request {
    pub(super) there: [i32; 2],
    /// Which of the standard streams there are.
    pub(super) standard: [bool; STANDARD],
}

const LENGTH: usize = 2 * size_of::<i32>() + STANDARD;

impl Request {
    pub(super) fn to_bytes(self) -> [u8; LENGTH] {
        let mut bytes = [0; LENGTH];
        let [requests, results] = self.there.map(i32::to_ne_bytes);
        let standard = self.standard.map(u8::from);
        let all = requests.into_iter().chain(results).chain(standard);
        bytes.iter_mut().zip(all).for_each(|(place, byte)| *place = byte);
        bytes
    }

    fn from_bytes(bytes: [u8; LENGTH]) -> Option<Self> {
        let (requests, rest) = bytes.split_first_chunk()?;
        let (results, standard) = rest.split_first_chunk()?;
        let standard = <[u8; STANDARD]>::try_from(standard).ok()?.map(|byte| byte != 0);
        Some(Self { there: [*requests, *results].map(i32::from_ne_bytes), standard })
    }
}

/// Descriptors that came with a request, by their numbers.
pub(super) struct Numbers {
    all: [i32; MOST],
    count: usize,
}

impl Numbers {
    pub(super) fn as_slice(&self) -> &[i32] {
        &self.all[..self.count]
    }
}

#[repr(C)]
union Room {
    _head: libc::cmsghdr,
    bytes: [u8; 64],
}

fn space(descriptors: &[i32]) -> usize {
    let length = size_of_val(descriptors).try_into().unwrap_or_default();
    // SAFETY: it is arithmetic.
    unsafe { libc::CMSG_SPACE(length) as usize }
}

/// Never blocks, and sends no signal where nobody listens any more.
pub(super) fn send(socket: BorrowedFd<'_>, bytes: &[u8], descriptors: &[i32]) -> nix::Result<()> {
    let mut room = Room { bytes: [0; 64] };
    let mut part = libc::iovec { iov_base: bytes.as_ptr().cast_mut().cast(), iov_len: bytes.len() };
    let mut message = message(&mut part, &mut room, space(descriptors));
    // SAFETY: see the heading; the room was just made that large.
    unsafe {
        let head = libc::CMSG_FIRSTHDR(&raw const message);
        (*head).cmsg_level = libc::SOL_SOCKET;
        (*head).cmsg_type = libc::SCM_RIGHTS;
        let length = size_of_val(descriptors);
        (*head).cmsg_len = libc::CMSG_LEN(length.try_into().unwrap_or_default()) as _;
        ptr::copy_nonoverlapping(descriptors.as_ptr().cast(), libc::CMSG_DATA(head), length);
    }
    let flags = libc::MSG_NOSIGNAL | libc::MSG_DONTWAIT;
    let number = socket.as_raw_fd();
    // SAFETY: see the heading.
    retry(|| Errno::result(unsafe { libc::sendmsg(number, &raw mut message, flags) })).map(drop)
}

/// Waits for a request. `None`: there will be none any more.
///
/// Where there is no room for the descriptors it is an error, and those that came are in `numbers`.
pub(super) fn receive(
    socket: BorrowedFd<'_>,
    numbers: &mut Numbers,
) -> nix::Result<Option<Request>> {
    let mut bytes = [0u8; LENGTH];
    let mut room = Room { bytes: [0; 64] };
    let mut part = libc::iovec { iov_base: bytes.as_mut_ptr().cast(), iov_len: LENGTH };
    let mut message = message(&mut part, &mut room, size_of::<Room>());
    // SAFETY: see the heading.
    let length =
        retry(|| Errno::result(unsafe { libc::recvmsg(socket.as_raw_fd(), &raw mut message, 0) }))?;
    *numbers = Numbers { all: [-1; MOST], count: 0 };
    // SAFETY: see the heading; the kernel has written the room, and how much of it.
    unsafe {
        let head = libc::CMSG_FIRSTHDR(&raw const message);
        if !head.is_null() && (*head).cmsg_type == libc::SCM_RIGHTS {
            let length = (*head).cmsg_len as usize - libc::CMSG_LEN(0) as usize;
            numbers.count = (length / size_of::<i32>()).min(MOST);
            let to = numbers.all.as_mut_ptr().cast();
            ptr::copy_nonoverlapping(libc::CMSG_DATA(head), to, numbers.count * size_of::<i32>());
        }
    }
    match usize::try_from(length) {
        Ok(0) => Ok(None),
        Ok(LENGTH) if message.msg_flags & libc::MSG_CTRUNC == 0 => Ok(Request::from_bytes(bytes)),
        _ => Err(Errno::EMFILE),
    }
}

impl Numbers {
    pub(super) fn none() -> Self {
        Self { all: [-1; MOST], count: 0 }
    }
}

fn message(part: &mut libc::iovec, room: &mut Room, length: usize) -> libc::msghdr {
    // SAFETY: zero is valid for it.
    let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
    (message.msg_iov, message.msg_iovlen) = (part, 1);
    message.msg_control = (&raw mut *room).cast();
    message.msg_controllen = length as _;
    message
}

/// The number of a child; zero where there will never be one, and below it why there is none now.
pub(super) fn answer(socket: BorrowedFd<'_>, number: i32) {
    let (bytes, flags) = (number.to_ne_bytes(), libc::MSG_NOSIGNAL);
    // Whoever does not hear it ends this process.
    // SAFETY: see the heading.
    unsafe { libc::send(socket.as_raw_fd(), bytes.as_ptr().cast(), bytes.len(), flags) };
}

/// `None`: there will be none any more.
pub(super) fn answer_from(socket: BorrowedFd<'_>) -> nix::Result<Option<i32>> {
    let mut bytes = [0; size_of::<i32>()];
    let (room, size) = (bytes.as_mut_ptr().cast(), bytes.len());
    let length = retry(|| {
        // SAFETY: see the heading.
        Errno::result(unsafe { libc::recv(socket.as_raw_fd(), room, size, libc::MSG_DONTWAIT) })
    })?;
    let is_whole = usize::try_from(length) == Ok(size);
    Ok(is_whole.then_some(i32::from_ne_bytes(bytes)))
}
