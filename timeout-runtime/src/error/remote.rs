use std::{error, fmt};

/// An error of the body whose type cannot cross from the child: its message, and those of its
/// sources.
///
/// `anyhow::Error`, `eyre::Report` and `Box<dyn Error + Send + Sync>` are rebuilt from it, and
/// `downcast_ref::<RemoteError>()` tells such an error from a failure of the call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemoteError {
    message: String,
    source: Option<Box<RemoteError>>,
}

/// More of a chain is not sent, nor taken: what has it walks down it by calling itself, as a
/// destructor does, and a stack has an end.
const MOST: usize = 128;

impl RemoteError {
    /// The messages, outermost first.
    pub(crate) fn chain_of(error: &dyn error::Error) -> Vec<String> {
        let sources = std::iter::successors(error.source(), |error| error.source());
        std::iter::once(error.to_string())
            .chain(sources.map(ToString::to_string))
            .take(MOST)
            .collect()
    }

    pub(crate) fn from_chain(chain: Vec<String>) -> Self {
        let wrap = |source, message| Some(Self { message, source: Option::map(source, Box::new) });
        let whole: Option<Self> = chain.into_iter().take(MOST).rev().fold(None, wrap);
        whole.unwrap_or_else(|| Self { message: String::new(), source: None })
    }
}

impl fmt::Display for RemoteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl error::Error for RemoteError {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        Some(self.source.as_deref()?)
    }
}
