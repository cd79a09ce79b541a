use timeout_runtime::timeout;

#[timeout(2)]
fn save(sink: &mut impl std::io::Write) {
    let _ = sink;
}

fn main() {}
