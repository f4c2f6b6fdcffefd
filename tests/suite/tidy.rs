//! What the layout promises, checked: who may know whom, where unsafe code and the system's clock are, how long files are,
//! and that SUPPORTED_APIS.md says what the broker says.

use std::path::{Path, PathBuf};

use kafka_protocol::messages::{ApiKey, ApiVersionsRequest};
use kafka_protocol::protocol::StrBytes;
use klamm::Broker;

use crate::harness::Wire;

/// A file longer than this is split by noun.
const LONGEST_FILE: usize = 550;

fn sources(folder: &str) -> Vec<(PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let (mut folders, mut found) = (vec![root.join(folder)], Vec::new());
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display())) {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = std::fs::read_to_string(&path).unwrap();
                found.push((path.strip_prefix(root).unwrap().to_owned(), text));
            }
        }
    }
    assert!(!found.is_empty(), "{folder} has no source files");
    found
}

/// The files in which `needle` stands outside of comments.
fn files_with(files: &[(PathBuf, String)], needle: &str) -> Vec<String> {
    let mentions =
        |text: &str| text.lines().any(|line| !line.trim_start().starts_with("//") && line.contains(needle));
    let mut with: Vec<_> =
        files.iter().filter(|(_, text)| mentions(text)).map(|(path, _)| path.display().to_string()).collect();
    with.sort();
    with
}

#[test]
fn unsafe_code_and_maps_live_in_one_file() {
    let all: Vec<_> = ["protocol/src", "storage/src", "broker/src", "client/src", "src"]
        .into_iter()
        .flat_map(sources)
        .collect();
    assert_eq!(files_with(&all, "unsafe {"), ["storage/src/mmap.rs"]);
    assert_eq!(files_with(&all, "memmap2"), ["storage/src/mmap.rs"]);
}

#[test]
fn crates_know_only_what_is_below_them() {
    let protocol = sources("protocol/src");
    for above in ["tokio", "klamm_storage", "klamm_broker", "klamm_client", "std::fs", "std::net"] {
        assert!(
            files_with(&protocol, above).is_empty(),
            "protocol knows {above}: {:?}",
            files_with(&protocol, above)
        );
    }
    let storage = sources("storage/src");
    for above in ["tokio", "kafka_protocol", "klamm_broker", "klamm_client"] {
        assert!(
            files_with(&storage, above).is_empty(),
            "storage knows {above}: {:?}",
            files_with(&storage, above)
        );
    }
    // The client starts brokers of its own process, and talks to them, in these places only.
    let client: Vec<_> = sources("client/src")
        .into_iter()
        .filter(|(path, _)| !path.display().to_string().contains("tests"))
        .collect();
    assert!(files_with(&client, "klamm_storage").is_empty());
    assert_eq!(
        files_with(&client, "klamm_broker"),
        [
            "client/src/embedded.rs",
            "client/src/native/connection/mod.rs",
            "client/src/native/transport/in_process.rs",
            "client/src/native/transport/mod.rs",
        ]
    );
    let broker = sources("broker/src");
    assert!(files_with(&broker, "klamm_client").is_empty());
    let below: Vec<_> =
        broker.iter().filter(|(path, _)| path.starts_with("broker/src/partition")).cloned().collect();
    for above in ["crate::api", "crate::topics", "crate::coordinator", "kafka_protocol::messages"] {
        assert!(files_with(&below, above).is_empty(), "partition knows {above}");
    }
}

#[test]
fn control_knows_neither_the_command_line_nor_the_client() {
    let control = sources("src/control");
    for other in ["clap", "crate::cli", "klamm_client", "klamm_storage", "kafka_protocol"] {
        assert!(
            files_with(&control, other).is_empty(),
            "control knows {other}: {:?}",
            files_with(&control, other)
        );
    }
    let ctl = sources("src/cli/ctl");
    for other in ["klamm::", "klamm_broker", "klamm_client"] {
        assert!(files_with(&ctl, other).is_empty(), "ctl knows {other}: {:?}", files_with(&ctl, other));
    }
}

#[test]
fn the_systems_clock_is_read_in_one_place() {
    let mut all = sources("broker/src");
    all.extend(sources("storage/src"));
    all.extend(sources("protocol/src"));
    assert_eq!(files_with(&all, "SystemTime::now"), ["broker/src/clock.rs"]);
}

#[test]
fn no_file_is_too_long() {
    let all: Vec<_> = ["protocol", "storage", "broker", "client", "src", "tests/suite"]
        .into_iter()
        .flat_map(sources)
        .collect();
    for (path, text) in all {
        let lines = text.lines().count();
        assert!(lines <= LONGEST_FILE, "{} has {lines} lines: split it by noun", path.display());
    }
}

#[test]
fn tests_do_not_sleep() {
    let all: Vec<_> = ["protocol/src", "storage/src", "broker/src", "client/src", "src", "tests/suite"]
        .into_iter()
        .flat_map(sources)
        .collect();
    let sleeping = files_with(&all, concat!("thread::", "sleep"));
    assert!(sleeping.is_empty(), "{sleeping:?}");
}

/// SUPPORTED_APIS.md has a table whose rows begin `| NUMBER | NAME | MIN to MAX |`.
#[test]
fn supported_apis_are_those_that_the_broker_announces() {
    let broker = Broker::builder().start().unwrap();
    let mut wire = Wire::connect(&broker.bootstrap_servers());
    let request = ApiVersionsRequest::default()
        .with_client_software_name(StrBytes::from_static_str("suite"))
        .with_client_software_version(StrBytes::from_static_str("1"));
    let announced: Vec<_> = wire
        .call(&request, 3)
        .api_keys
        .iter()
        .map(|api| {
            let key = ApiKey::try_from(api.api_key).expect("only known APIs are served");
            format!("| {} | {key:?} | {} to {} |", api.api_key, api.min_version, api.max_version)
        })
        .collect();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("SUPPORTED_APIS.md");
    let page = std::fs::read_to_string(path).unwrap();
    let listed: Vec<_> = page
        .lines()
        .filter(|line| line.starts_with("| ") && line.as_bytes().get(2).is_some_and(u8::is_ascii_digit))
        .map(|line| line.splitn(5, " | ").take(3).collect::<Vec<_>>().join(" | ") + " |")
        .collect();
    assert_eq!(
        listed, announced,
        "SUPPORTED_APIS.md and the broker differ; the broker's list is on the right"
    );
}
