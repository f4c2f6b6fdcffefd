//! Shell completion and manual pages, as they are generated.

use std::process::Command;

use super::{klamm, said};

/// Whether a shell is there.
fn have(shell: &str) -> bool {
    Command::new(shell).arg("--version").output().is_ok_and(|output| output.status.success())
}

#[test]
fn bash_completes_commands_options_and_values() {
    assert!(have("bash"), "the tests of this project need bash");
    let script = said(&mut klamm(&["completion", "bash"]));
    assert_eq!(script.code, Some(0), "{script:?}");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("klamm.bash");
    std::fs::write(&file, script.out).unwrap();
    for (words, wanted) in [
        ("klamm topi", vec!["topics"]),
        ("klamm topics de", vec!["delete", "describe", "delete-records"]),
        ("klamm topics create orders --parti", vec!["--partitions"]),
        ("klamm groups reset billing --to-ea", vec!["--to-earliest"]),
        ("klamm completion ba", vec!["bash"]),
        ("klamm configs describe lo", vec!["loggers"]),
        ("klamm topics list --bootstrap-server", vec!["--bootstrap-server", "--bootstrap-servers"]),
    ] {
        // What bash itself does when the tabulator is pressed.
        let press = format!(
            "source {}; COMP_WORDS=({words}); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1)); \
             _klamm klamm \"${{COMP_WORDS[COMP_CWORD]}}\" \"${{COMP_WORDS[COMP_CWORD-1]}}\"; \
             printf '%s\\n' \"${{COMPREPLY[@]}}\"",
            file.display()
        );
        let output = Command::new("bash").args(["--norc", "-c", &press]).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let mut found: Vec<_> = text.lines().collect();
        let mut wanted = wanted;
        found.sort_unstable();
        wanted.sort_unstable();
        assert_eq!(found, wanted, "{words}");
    }
}

#[test]
fn every_shell_has_a_script_that_it_can_read() {
    for (shell, check) in [("bash", "-n"), ("zsh", "-n"), ("fish", "--no-execute")] {
        let script = said(&mut klamm(&["completion", shell]));
        assert!(script.code == Some(0) && script.out.contains("delete-records"), "{shell}: {script:?}");
        if have(shell) {
            let file = tempfile::NamedTempFile::new().unwrap();
            std::fs::write(file.path(), script.out).unwrap();
            let read = Command::new(shell).arg(check).arg(file.path()).output().unwrap();
            assert!(read.status.success(), "{shell}: {read:?}");
        }
    }
}

#[test]
fn there_is_a_manual_page_for_every_command() {
    let folder = tempfile::tempdir().unwrap();
    let pages = folder.path().join("man1");
    let written = said(&mut klamm(&["man", pages.to_str().unwrap()]));
    assert_eq!(written.code, Some(0), "{written:?}");
    for (page, wanted) in [
        ("klamm.1", "klamm\\-topics"),
        ("klamm-topics.1", "klamm\\-topics\\-create"),
        ("klamm-topics-create.1", "\\-\\-partitions"),
        ("klamm-groups-reset.1", "\\-\\-to\\-datetime"),
    ] {
        let text = std::fs::read_to_string(pages.join(page)).unwrap();
        assert!(text.starts_with(".ie") || text.contains(".TH"), "{page}");
        assert!(text.contains(wanted), "{page} does not say {wanted}:\n{text}");
    }
    let told = said(&mut klamm(&["man", "/proc/nowhere"]));
    assert!(told.code == Some(1) && told.err.contains("/proc/nowhere"), "{told:?}");
}
