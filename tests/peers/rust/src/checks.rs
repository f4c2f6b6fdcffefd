//! Named checks, deadlines and unique names. Must not know the client.

use std::fmt::Debug;
use std::future::Future;
use std::process;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// What a check, or a step of one, ends with: a value, or the reason why it failed.
pub type Outcome<T = ()> = Result<T, String>;

static RUN: LazyLock<String> = LazyLock::new(|| {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map(|d| d.as_nanos()).unwrap_or_default();
    format!("{:x}-{}", now & 0xffff_ffff, process::id())
});
static COUNT: AtomicU32 = AtomicU32::new(0);

/// The broker's address.
pub fn bootstrap() -> String {
    std::env::var("BOOTSTRAP_SERVERS").unwrap_or_else(|_| "127.0.0.1:9092".to_owned())
}

/// A name that no other suite or run uses.
pub fn name(stem: &str) -> String {
    format!("{stem}-{}-{}", *RUN, COUNT.fetch_add(1, Ordering::Relaxed))
}

/// v(from) to v(to - 1).
pub fn numbered(from: usize, to: usize) -> Vec<String> {
    (from..to).map(|n| format!("v{n}")).collect()
}

/// A failure with this reason.
pub fn fail<T>(reason: impl Into<String>) -> Outcome<T> {
    Err(reason.into())
}

/// Fails where the two differ.
pub fn same<T: PartialEq + Debug>(what: &str, got: &T, wanted: &T) -> Outcome {
    if got == wanted { Ok(()) } else { fail(format!("{what}: got {got:.300?}, wanted {wanted:.300?}")) }
}

/// Waits until the condition holds.
pub fn until(what: &str, mut condition: impl FnMut() -> bool) -> Outcome {
    let begun = Instant::now();
    while !condition() {
        if begun.elapsed() > Duration::from_secs(25) {
            return fail(format!("not in time: {what}"));
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    Ok(())
}

/// The checks of this run whose names contain the first argument.
pub struct Run {
    wanted: String,
    failed: bool,
}

impl Run {
    /// A run of what the command line asks for.
    pub fn new() -> Self {
        Self { wanted: std::env::args().nth(1).unwrap_or_default(), failed: false }
    }

    /// Runs one check and prints its line.
    pub async fn check(&mut self, name: &str, body: impl Future<Output = Outcome>) {
        let name = name.replace('_', "-");
        if !name.contains(&self.wanted) {
            return;
        }
        let begun = Instant::now();
        let outcome = body.await;
        if std::env::var_os("PEERS_TIMES").is_some() {
            print!("# {:.1}s ", begun.elapsed().as_secs_f32());
        }
        match outcome {
            Ok(()) => println!("ok {name}"),
            Err(reason) => {
                self.failed = true;
                println!("FAIL {name}: {}", reason.replace('\n', " "));
            }
        }
    }

    /// Ends the process: 1 if any check failed.
    pub fn finish(self) -> ! {
        process::exit(i32::from(self.failed))
    }
}
