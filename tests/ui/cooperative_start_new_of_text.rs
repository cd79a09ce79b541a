use timeout_runtime::cooperative::Timeout;

fn main() {
    let _ = Timeout::start_new("2 s");
}
