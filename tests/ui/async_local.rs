use timeout_runtime::timeout;

#[timeout(2, local(file))]
async fn one(file: &mut std::fs::File) -> bool {
    file.metadata().is_ok()
}

fn main() {}
