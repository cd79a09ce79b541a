use timeout_runtime::timeout;

#[timeout(2)]
fn forever() -> ! {
    loop {}
}

fn main() {}
