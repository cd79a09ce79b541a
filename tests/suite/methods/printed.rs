//! What a body prints is in the captured output of the test, by every start method: `captured` has the
//! test that runs these.

use std::io::Write;
use std::process::{Command, exit};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use timeout_runtime::{ErrorKind, Timeout, timeout};

use super::{METHODS, each, three_times};
use crate::captured::captured;
use crate::support::{LONG, spin};

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
enum Then {
    Return,
    Hang,
    Panic,
    Exit,
    Crash,
}

const ALL: [Then; 5] = [Then::Return, Then::Hang, Then::Panic, Then::Exit, Then::Crash];

fn print_and(then: Then) {
    println!("a line before {then:?}");
    eprintln!("an error");
    assert!(Command::new("echo").arg("from a program").status().unwrap().success());
    print!("a part");
    std::io::stdout().flush().unwrap();
    match then {
        Then::Return => println!(", and the rest"),
        Then::Hang => spin(),
        Then::Panic => panic!("said by the error"),
        Then::Exit => exit(3),
        Then::Crash => std::process::abort(),
    }
}

macro_rules! decorated {
    ($start:tt) => {
        #[timeout(LONG, start = $start)]
        pub fn print(text: &str) {
            println!("{}", text);
        }
        #[timeout(LONG, start = $start)]
        pub async fn print_later(text: &str) {
            println!("{}", text);
        }
    };
}

three_times!(printing, decorated);

/// In a process of its own, and in its first test.
pub fn print_by_every_method() {
    for method in METHODS {
        for then in ALL {
            let limit = if let Then::Hang = then { Duration::from_secs(1) } else { LONG };
            let result = Timeout::new(limit).start_method(method).call(print_and, (then,));
            match (then, result.as_ref().map_err(timeout_runtime::Error::kind)) {
                (Then::Return, Ok(())) => {}
                (Then::Hang, Err(ErrorKind::TimedOut { .. })) => println!("|"),
                (Then::Panic, Err(ErrorKind::Panicked { .. })) => println!("|"),
                (Then::Exit, Err(ErrorKind::Exited(3))) => println!("|"),
                (Then::Crash, Err(ErrorKind::Signaled { .. })) => println!("|"),
                (_, other) => panic!("{method:?} {then:?} {other:?}"),
            }
        }
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    each!(printing, {
        print("of the attribute").unwrap();
        runtime.block_on(print_later("of one that was awaited")).unwrap();
    });
    // A worker of one test prints for another test's thread, and for none.
    let timeout = Timeout::new(LONG).start_method(timeout_runtime::StartMethod::Pool);
    let call = || timeout.call(print_and, (Then::Return,)).unwrap();
    std::thread::scope(|scope| scope.spawn(call).join().unwrap());
}

#[test]
fn it_is_in_the_section_of_the_failing_test() {
    let printed = captured("every method", &[]);
    let of = |then: Then| {
        let end = if let Then::Return = then { ", and the rest\n" } else { "|\n" };
        format!("a line before {then:?}\nan error\nfrom a program\na part{end}")
    };
    let each = ALL.map(of).concat();
    let decorated = "of the attribute\nof one that was awaited\n";
    let expected = each.repeat(3) + &decorated.repeat(3) + &of(Then::Return);
    assert_eq!(printed, expected);
}
