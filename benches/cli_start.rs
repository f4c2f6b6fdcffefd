//! How long a command takes, from its start to its end, against a broker on the same machine: what a person waits for.
//!
//!     cargo bench --bench cli_start            300 runs of each, in turn
//!
//! Beside Klamm's own commands runs `kcat -L`, where it is installed: the same question in C. `klamm --version` is the part that
//! has nothing to do with a cluster.

#![allow(clippy::unwrap_used)]

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use klamm::Broker;

/// Runs of each command; the first few warm the files' pages.
const RUNS: usize = 300;
const WARM_UP: usize = 10;

fn main() {
    let broker = Broker::builder().topic("orders", 3).topic("payments", 1).start().unwrap();
    let server = broker.bootstrap_servers();
    let klamm = env!("CARGO_BIN_EXE_klamm");
    let all: [(&str, Vec<&str>); 6] = [
        ("klamm --version", vec![klamm, "--version"]),
        ("klamm topics list", vec![klamm, "topics", "list", "-b", &server]),
        ("klamm topics describe", vec![klamm, "topics", "describe", "-b", &server]),
        ("klamm groups list", vec![klamm, "groups", "list", "-b", &server]),
        ("klamm cluster brokers", vec![klamm, "cluster", "brokers", "-b", &server]),
        ("kcat -L", vec!["kcat", "-L", "-b", &server]),
    ];
    let there: Vec<_> = all.iter().filter(|(_, command)| once(command).is_some()).collect();
    let mut times = vec![Vec::with_capacity(RUNS); there.len()];
    for run in 0..WARM_UP + RUNS {
        for ((_, command), times) in there.iter().zip(&mut times) {
            let time = once(command).unwrap();
            if run >= WARM_UP {
                times.push(time);
            }
        }
    }
    println!("{:<24}{:>10}{:>10}{:>10}", "ms", "median", "p90", "least");
    for ((name, _), mut times) in there.iter().zip(times) {
        times.sort_unstable();
        let shown = [times[RUNS / 2], times[RUNS * 9 / 10], times[0]].map(|time| time.as_secs_f64() * 1000.0);
        println!("{name:<24}{:>10.2}{:>10.2}{:>10.2}", shown[0], shown[1], shown[2]);
    }
}

/// How long a command takes once; nothing if it is not there.
fn once(command: &[&str]) -> Option<Duration> {
    let began = Instant::now();
    let (program, arguments) = command.split_first()?;
    let mut child =
        Command::new(program).args(arguments).stdout(Stdio::null()).stdin(Stdio::null()).spawn().ok()?;
    let status = child.wait().unwrap();
    assert!(status.success(), "{command:?}: {status}");
    Some(began.elapsed())
}
