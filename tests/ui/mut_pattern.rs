use timeout_runtime::timeout;

#[timeout(2)]
fn swap((a, b): &mut (u8, u8)) {
    std::mem::swap(a, b);
}

fn main() {}
