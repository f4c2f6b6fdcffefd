//! The README's first commands: run as they stand there.

use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::harness::wait_for;

/// The line behind which they stand.
const MARK: &str = "### On the command line";

/// The lines of the first block of commands behind the mark.
fn commands() -> Vec<String> {
    let page = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).unwrap();
    let (_, behind) = page.split_once(MARK).expect("README has the section");
    let (_, block) = behind.split_once("```sh\n").expect("the section has commands");
    let (block, _) = block.split_once("```").expect("the block ends");
    let lines = block.lines().map(|line| line.split(" #").next().unwrap_or_default().trim().to_owned());
    lines.filter(|line| !line.is_empty()).collect()
}

/// A broker that is stopped with the test.
struct Serving(Child);

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn the_first_five_commands_of_the_readme_work_as_they_stand_there() {
    let commands = commands();
    assert_eq!(commands.len(), 5, "{commands:?}");
    let folder = tempfile::tempdir().unwrap();
    let port_file = folder.path().join("port");
    let binary = Path::new(env!("CARGO_BIN_EXE_klamm")).parent().unwrap();
    let path = format!("{}:{}", binary.display(), std::env::var("PATH").unwrap());
    let shell = |line: &str| {
        let mut command = Command::new("sh");
        command.args(["-c", line]).env("PATH", &path).env("HOME", folder.path()).current_dir(folder.path());
        command
    };
    // The first starts a broker; it is given a free port, and the others are told of it.
    let (serve, rest) = commands.split_first().unwrap();
    let serve = serve.trim_end_matches('&').trim();
    assert!(serve.starts_with("klamm serve"), "{serve}");
    let line = format!("exec {serve} --listen 127.0.0.1:0 --port-file {}", port_file.display());
    let _serving = Serving(shell(&line).stdout(Stdio::null()).spawn().unwrap());
    let port = wait_for("the broker", || std::fs::read_to_string(&port_file).ok());
    let server = format!("127.0.0.1:{}", port.trim());
    let mut shown = String::new();
    for line in rest {
        let output = shell(line).env("KLAMM_BOOTSTRAP_SERVERS", &server).output().unwrap();
        assert!(output.status.success(), "{line}: {output:?}");
        shown.push_str(&String::from_utf8_lossy(&output.stdout));
    }
    // What was produced was consumed, and the group stands before it.
    assert!(shown.contains("lamp = 12 pieces") && shown.contains("billing"), "{shown}");
}
