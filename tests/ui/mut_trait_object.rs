use timeout_runtime::timeout;

#[timeout(2)]
fn save(sink: &mut dyn std::io::Write) {
    let _ = sink;
}

fn main() {}
