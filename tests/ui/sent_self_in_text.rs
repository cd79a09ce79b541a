use timeout_runtime::timeout;

#[derive(Debug, serde::Serialize, serde::Deserialize)]
struct Job(u8);

impl Job {
    #[timeout(1, start = "pool")]
    fn describe(&self) -> String {
        format!("{self:?}")
    }
}

fn main() {}
