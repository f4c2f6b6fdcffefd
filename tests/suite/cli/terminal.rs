//! What only a person is to see, seen through a real terminal: a pseudo-terminal that is the command's own.

use std::fs::File;
use std::io::{Read, Write};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};

use rustix::fs::{Mode, OFlags};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

use super::{Cluster, klamm, named};
use crate::harness::wait_for;

/// A command in a terminal.
struct Terminal {
    child: Child,
    keyboard: File,
    screen: Arc<Mutex<String>>,
}

impl Terminal {
    /// Runs a command whose input, outputs and controlling terminal are a new terminal.
    fn run(command: &Command) -> Terminal {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        tcsetwinsize(&master, Winsize { ws_row: 24, ws_col: 100, ws_xpixel: 0, ws_ypixel: 0 }).unwrap();
        let name = ptsname(&master, Vec::new()).unwrap();
        let slave = rustix::fs::open(&name, OFlags::RDWR | OFlags::NOCTTY, Mode::empty()).unwrap();
        let end = || Stdio::from(slave.try_clone().unwrap());
        // The terminal's keys reach only a session that the terminal is of.
        let mut session = Command::new("setsid");
        session.args(["--ctty", "--wait"]).arg(command.get_program()).args(command.get_args());
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => session.env(name, value),
                None => session.env_remove(name),
            };
        }
        session.env("TERM", "xterm");
        let child = session.stdin(end()).stdout(end()).stderr(end()).spawn().unwrap();
        drop(slave);
        let screen = Arc::new(Mutex::new(String::new()));
        let (shown, mut reading) = (Arc::clone(&screen), File::from(master.try_clone().unwrap()));
        std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            // Once nobody has the other end any more, reading is an error.
            while let Ok(read @ 1..) = reading.read(&mut bytes) {
                shown.lock().unwrap().push_str(&String::from_utf8_lossy(&bytes[..read]));
            }
        });
        Terminal { child, keyboard: File::from(master), screen }
    }

    fn shows(&self, text: &str) -> bool {
        self.screen.lock().unwrap().contains(text)
    }

    /// Waits until a text was shown.
    fn wait_for(&self, text: &str) {
        wait_for(&format!("{text:?} on the screen"), || self.shows(text).then_some(()));
    }

    /// Waits for the end; gives the exit code, and all that was shown.
    fn end(mut self) -> (Option<i32>, String) {
        let status = wait_for("the command to end", || self.child.try_wait().unwrap());
        let screen = wait_for("the screen to be read", || {
            (Arc::strong_count(&self.screen) == 1).then(|| self.screen.lock().unwrap().clone())
        });
        (status.code(), screen)
    }
}

#[test]
fn colours_are_for_terminals_alone_and_for_those_who_want_them() {
    let cluster = Cluster::klamm();
    cluster.ok(&["topics", "create", "orders"]);
    let list = || klamm(&["topics", "list", "-b", &cluster.place.address]);
    let (code, screen) = Terminal::run(&list()).end();
    assert!(code == Some(0) && screen.contains("\x1b[1mTOPIC") && screen.contains("orders"), "{screen:?}");
    let (code, screen) = Terminal::run(list().env("NO_COLOR", "1")).end();
    assert!(code == Some(0) && !screen.contains('\x1b') && screen.contains("orders"), "{screen:?}");
    assert!(!cluster.ok(&["topics", "list"]).contains('\x1b'));
    let (code, screen) = Terminal::run(list().arg("--json")).end();
    assert!(code == Some(0) && !screen.contains('\x1b'), "{screen:?}");
}

#[test]
fn names_from_elsewhere_do_nothing_to_a_terminal() {
    let cluster = Cluster::klamm();
    cluster.ok(&["topics", "create", "orders"]);
    let group = "sly\x1b[2Jgroup";
    cluster.run(&["groups", "reset", group, "--topic", "orders", "--to-latest", "--execute"]);
    for args in [["groups", "list"], ["groups", "describe"]] {
        let (code, screen) =
            Terminal::run(&klamm(&[&args[..], &["-b", &cluster.place.address]].concat())).end();
        assert!(
            code == Some(0) && screen.contains("\\u{1b}[2J") && !screen.contains("\x1b[2J"),
            "{screen:?}"
        );
    }
}

#[test]
fn long_work_shows_how_far_it_has_come() {
    let cluster = Cluster::klamm();
    let (address, source) = (cluster.place.address.as_str(), named("source"));
    cluster.ok(&["topics", "create", &source]);
    let lines: String = (0..20_000).map(|n| format!("record {n}\n")).collect();
    let mut produce = klamm(&["produce", &source, "-b", address]);
    let mut child = produce.stdin(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(lines.as_bytes()).unwrap();
    assert!(child.wait().unwrap().success());

    // A bar while it copies, which is gone at the end; what was done stays.
    let copy = |target: &str| klamm(&["copy", &source, target, "-b", address]);
    let (code, screen) = Terminal::run(&copy(&named("target"))).end();
    assert!(screen.contains(&format!("copying {source} [")) && screen.contains("/20,000"), "{screen:?}");
    assert!(code == Some(0) && screen.contains("20,000 records ("), "{screen:?}");
    let said = super::said(&mut copy(&named("target")));
    assert!(said.code == Some(0) && !said.err.contains("copying"), "{said:?}");
}

#[test]
fn a_bench_shows_its_pace_and_ends_with_its_figures_when_it_is_asked_to() {
    let cluster = Cluster::klamm();
    let bench = ["bench", "produce", "-n", "1000000000", "--rate", "1000", "-b", &cluster.place.address];
    let mut terminal = Terminal::run(&klamm(&bench));
    terminal.wait_for("produce: ");
    terminal.wait_for("/1,000,000,000");
    terminal.keyboard.write_all(b"\x03").unwrap();
    let (code, screen) = terminal.end();
    let (live, table) = screen.split_once("TEST").expect("a table");
    assert!(code == Some(0) && live.contains(" records/s [") && table.contains("RECORDS/S"), "{screen:?}");
    assert!(table.contains("produce"), "{screen:?}");
}

#[test]
fn only_a_person_sees_what_is_waited_for() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = silent.local_addr().unwrap().to_string();
    let list = || klamm(&["topics", "list", "-b", &address, "--timeout", "2s"]);
    let (code, screen) = Terminal::run(&list()).end();
    assert!(code == Some(1) && screen.contains(&format!("waiting for {address}")), "{screen:?}");
    let said = super::said(&mut list());
    assert!(said.code == Some(1) && !said.err.contains(&format!("waiting for {address}")), "{said:?}");
}

#[test]
fn a_closed_pipe_ends_a_command_quietly() {
    let cluster = Cluster::klamm();
    let mut command = klamm(&["configs", "describe", "brokers", "--all", "-b", &cluster.place.address]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert!(output.status.code() == Some(0) && output.stderr.is_empty(), "{output:?}");
}

#[test]
fn ctrl_c_ends_a_watch_and_says_what_was_done() {
    let cluster = Cluster::klamm();
    let (topic, group) = (named("orders"), named("billing"));
    cluster.ok(&["topics", "create", &topic]);
    cluster.run(&["groups", "reset", &group, "--topic", &topic, "--to-latest", "--execute"]);
    let watch = klamm(&["groups", "watch", &group, "-i", "20ms", "-b", &cluster.place.address]);
    let mut terminal = Terminal::run(&watch);
    // The second look takes the place of the first.
    terminal.wait_for("caught up");
    assert!(terminal.shows("\x1b[2J") && terminal.shows(&group));
    terminal.keyboard.write_all(b"\x03").unwrap();
    let (code, screen) = terminal.end();
    assert!(
        code == Some(0) && screen.contains("looked ") && screen.contains("times at the group"),
        "{screen:?}"
    );
}
