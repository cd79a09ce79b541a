use std::pin::Pin;

use timeout_runtime::timeout;

trait Fetch {
    fn fetch<'a>(&'a self, page: &'a str) -> Pin<Box<dyn Future<Output = usize> + Send + 'a>>;
}

struct Store;

/// What `#[async_trait]` makes of an `async fn`.
impl Fetch for Store {
    #[timeout(2)]
    fn fetch<'a>(&'a self, page: &'a str) -> Pin<Box<dyn Future<Output = usize> + Send + 'a>> {
        Box::pin(async move { page.len() })
    }
}

fn main() {}
