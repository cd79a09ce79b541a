use std::io::Write;

use timeout_runtime::timeout;

#[timeout(2, start = "fork", local(log))]
async fn one(log: &mut dyn Write) -> bool {
    log.write_all(b"line").is_ok()
}

fn main() {}
