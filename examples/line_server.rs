//! A server on loopback that answers lines, and a client that tries its patience.
//!
//! ```sh
//! cargo run --example line_server
//! ```
//!
//! A line is to arrive within half a second: the handler awaits it, so a *cooperative* limit will do,
//! and costs no process. The work on it, to count the steps from a number to one in Collatz's way, is a
//! loop that nobody can await, that may overflow, and that never ends for zero: it has a *hard* limit.
//! That is awaited too, so that the one thread of this server goes on with the others.

use std::io;
use std::net::SocketAddr;

use timeout_runtime::{Error, ErrorKind, timeout};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

/// The next line, without its end; `None` when the client has closed.
#[timeout(0.5)]
async fn read_line(client: &mut BufReader<TcpStream>) -> io::Result<Option<String>> {
    let mut line = String::new();
    let length = client.read_line(&mut line).await?;
    Ok((length > 0).then(|| line.trim_end().to_owned()))
}

/// In a child: it can be stopped wherever it is.
#[timeout(2, start = "fork")]
async fn work(line: &str) -> Result<String, Error> {
    let Ok(mut number) = line.parse::<u64>() else { return Ok(format!("{line:?} is no number")) };
    let mut steps = 0;
    while number != 1 {
        let tripled = || number.checked_mul(3)?.checked_add(1);
        number = if number % 2 == 0 { number / 2 } else { tripled().expect("it grows too large") };
        steps += 1;
    }
    Ok(format!("{steps} steps"))
}

async fn serve(client: TcpStream) -> io::Result<()> {
    let mut client = BufReader::new(client);
    loop {
        let answer = match read_line(&mut client).await {
            Ok(Some(line)) => match work(&line).await {
                Ok(answer) => answer,
                Err(error) if error.is_timeout() => "that takes too long".to_owned(),
                Err(error) => format!("sorry: {}", reason(&error)),
            },
            Ok(None) => return Ok(()),
            Err(error) if error.kind() == io::ErrorKind::TimedOut => {
                client.write_all(b"too slow, goodbye\n").await?;
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        client.write_all(format!("{answer}\n").as_bytes()).await?;
    }
}

fn reason(error: &Error) -> String {
    match error.kind() {
        ErrorKind::Panicked { message, .. } => message.clone(),
        _ => error.to_string(),
    }
}

/// Says something in one go and prints all that comes back.
async fn say(name: &str, server: SocketAddr, words: &str) -> io::Result<Vec<String>> {
    let mut stream = TcpStream::connect(server).await?;
    stream.write_all(words.as_bytes()).await?;
    if words.ends_with('\n') {
        stream.shutdown().await?;
    }
    let mut said = String::new();
    stream.read_to_string(&mut said).await?;
    let asked = words.lines().map(|line| format!("{name:5} > {line}"));
    Ok(asked.chain(said.lines().map(|line| format!("{name:5} < {line}"))).collect())
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let server = listener.local_addr()?;
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            tokio::spawn(serve(client));
        }
    });
    // All at once: nobody waits for the stuck one.
    let (good, slow, stuck, large) = tokio::try_join!(
        say("good", server, "27\nten\n97\n"),
        say("slow", server, "2"),
        say("stuck", server, "0\n6\n"),
        say("large", server, "18446744073709551615\n7\n"),
    )?;
    for line in [good, slow, stuck, large].concat() {
        println!("{line}");
    }
    Ok(())
}
