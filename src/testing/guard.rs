//! The guard: when a test panics, what its brokers saw is printed.
//!
//! Printed when the broker is dropped by the panic, and so after the panic's own message, into the output of the test that
//! failed. But told of the moment of the panic: what is dropped on the way from there (clients that leave their groups)
//! changes what there is to see. Therefore a hook takes each report down when the panic begins. A panic that is caught before
//! it comes to the broker is nobody's business, and nothing is printed.

use std::cell::RefCell;
use std::panic;
use std::sync::mpsc;
use std::sync::{Arc, Mutex, Once, PoisonError, Weak};
use std::time::Duration;

use super::broker::Held;
use super::report;

/// How long looking at a broker may take. A panic can come from within the broker, with its locks held.
const LOOKING_PATIENCE: Duration = Duration::from_secs(2);

thread_local! {
    /// The brokers that tests of this thread have started, and that may be gone.
    static STARTED_HERE: RefCell<Vec<Weak<Held>>> = const { RefCell::new(Vec::new()) };
}

/// What was seen when a panic began.
#[derive(Debug, Default)]
pub(super) struct Told(Mutex<Option<String>>);

/// Has the broker looked at when this thread panics.
pub(super) fn watch(held: &Arc<Held>) {
    static HOOK: Once = Once::new();
    // A thread that panics may not set the hook; what it starts is looked at when it is dropped.
    if !std::thread::panicking() {
        HOOK.call_once(|| {
            let before = panic::take_hook();
            panic::set_hook(Box::new(move |info| {
                take_down();
                before(info);
                if cfg!(panic = "abort") {
                    started_here().iter().for_each(print);
                }
            }));
        });
    }
    let _ = STARTED_HERE.try_with(|started| {
        if let Ok(mut started) = started.try_borrow_mut() {
            started.retain(|broker| broker.strong_count() > 0);
            started.push(Arc::downgrade(held));
        }
    });
}

fn started_here() -> Vec<Arc<Held>> {
    let started = STARTED_HERE.try_with(|started| {
        let started = started.try_borrow();
        started.map(|started| started.iter().filter_map(Weak::upgrade).collect()).unwrap_or_default()
    });
    started.unwrap_or_default()
}

/// Takes down what each broker of this thread has seen.
fn take_down() {
    // A panic within a panic is about to end the process.
    for held in started_here() {
        let text = look(&held);
        *held.told.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(text);
    }
}

/// Prints what the broker had seen when the panic began, or what it has seen by now if that was not taken down.
pub(super) fn print(held: &Arc<Held>) {
    let told = held.told.0.lock().unwrap_or_else(PoisonError::into_inner).take();
    let text = told.unwrap_or_else(|| look(held));
    if let Some(journal) = &held.journal {
        journal.keep();
    }
    // In one piece, so that tests that fail at the same time do not mix their lines.
    eprint!("{text}");
}

/// The report, made by another thread: this one may hold what is needed for it.
fn look(held: &Arc<Held>) -> String {
    let (to, told) = mpsc::channel();
    let seen = Arc::clone(held);
    let looking = std::thread::Builder::new().name("klamm-report".to_owned()).spawn(move || {
        let text = report::of(&seen);
        drop(seen);
        // Nobody waits for it any more if it took too long.
        let _ = to.send(text);
    });
    let late = || format!("klamm: the broker could not be looked at within {LOOKING_PATIENCE:?}\n");
    match looking {
        Ok(_) => told.recv_timeout(LOOKING_PATIENCE).unwrap_or_else(|_| late()),
        Err(error) => format!("klamm: the broker could not be looked at: {error}\n"),
    }
}
