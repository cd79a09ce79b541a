use timeout_runtime::timeout;

#[timeout(2, on_timeout = name)]
async fn one(name: String) -> String {
    name + "!"
}

fn main() {}
