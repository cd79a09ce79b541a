use timeout_runtime::timeout;

trait Shape {
    #[timeout(2)]
    fn area(&self) -> f64;
}

fn main() {}
