//! An `io::Error` taken apart, so that it can cross.

use std::io::{Error, ErrorKind};

use super::RemoteError;

/// The operating system's code, else the kind by its name, and the chain of messages.
pub(crate) type Parts = (Option<i32>, Option<u8>, Vec<String>);

/// The kinds, by their place here. A kind that is missing becomes `Other`.
const KINDS: [ErrorKind; 37] = {
    use ErrorKind as K;
    [
        K::NotFound,
        K::PermissionDenied,
        K::ConnectionRefused,
        K::ConnectionReset,
        K::HostUnreachable,
        K::NetworkUnreachable,
        K::ConnectionAborted,
        K::NotConnected,
        K::AddrInUse,
        K::AddrNotAvailable,
        K::NetworkDown,
        K::BrokenPipe,
        K::AlreadyExists,
        K::WouldBlock,
        K::NotADirectory,
        K::IsADirectory,
        K::DirectoryNotEmpty,
        K::ReadOnlyFilesystem,
        K::StaleNetworkFileHandle,
        K::InvalidInput,
        K::InvalidData,
        K::TimedOut,
        K::WriteZero,
        K::StorageFull,
        K::NotSeekable,
        K::QuotaExceeded,
        K::FileTooLarge,
        K::ResourceBusy,
        K::ExecutableFileBusy,
        K::Deadlock,
        K::TooManyLinks,
        K::ArgumentListTooLong,
        K::Interrupted,
        K::Unsupported,
        K::UnexpectedEof,
        K::OutOfMemory,
        K::Other,
    ]
};

pub(crate) fn take_apart(error: &Error) -> Parts {
    let kind = KINDS.iter().position(|kind| *kind == error.kind());
    let kind = kind.and_then(|place| u8::try_from(place).ok());
    let chain = error.get_ref().map(|inner| RemoteError::chain_of(inner)).unwrap_or_default();
    (error.raw_os_error(), kind, chain)
}

pub(crate) fn put_together((code, kind, chain): Parts) -> Error {
    let kind = kind.and_then(|place| KINDS.get(usize::from(place)));
    let kind = kind.copied().unwrap_or(ErrorKind::Other);
    match code {
        Some(code) => Error::from_raw_os_error(code),
        None if chain.is_empty() => kind.into(),
        None => Error::new(kind, RemoteError::from_chain(chain)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn crossed(error: &Error) -> Error {
        put_together(take_apart(error))
    }

    #[test]
    fn kind_code_and_message_are_kept() {
        let os = crossed(&Error::from_raw_os_error(libc::ENOSPC));
        assert_eq!((os.raw_os_error(), os.kind()), (Some(libc::ENOSPC), ErrorKind::StorageFull));
        let simple = crossed(&ErrorKind::UnexpectedEof.into());
        assert_eq!(simple.kind(), ErrorKind::UnexpectedEof);
        assert_eq!(simple.to_string(), Error::from(ErrorKind::UnexpectedEof).to_string());
        let custom = crossed(&Error::new(ErrorKind::InvalidData, "line 3"));
        assert_eq!((custom.kind(), custom.to_string()), (ErrorKind::InvalidData, "line 3".into()));
    }
}
