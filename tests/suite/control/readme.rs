//! The lines of README.md that control a broker, as they stand there.

use std::process::Command;

use serde_json::Value;

#[test]
fn the_lines_of_curl_in_the_readme_do_what_it_says() {
    let readme = include_str!("../../../README.md");
    let (_, section) = readme.split_once("### From any language").expect("README.md has the section");
    let (_, block) = section.split_once("```sh\n").unwrap();
    let (lines, _) = block.split_once("```").unwrap();
    assert_eq!(lines.lines().filter(|line| line.starts_with("curl")).count(), 3, "{lines}");
    if Command::new("curl").arg("--version").output().is_err() {
        assert!(std::env::var_os("CI").is_none(), "CI needs curl");
        println!("ignored: needs curl");
        return;
    }
    let output = Command::new(env!("CARGO_BIN_EXE_klamm"))
        .args([
            "run",
            "--control",
            "127.0.0.1:0",
            "--clock",
            "manual",
            "--topic",
            "orders:3",
            "--",
            "sh",
            "-ec",
            lines,
        ])
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let said = String::from_utf8(output.stdout).unwrap();
    let mut answers = serde_json::Deserializer::from_str(&said).into_iter::<Value>().map(Result::unwrap);
    assert_eq!(answers.next().unwrap()["fault"]["close"], "before_answer");
    assert_eq!(answers.next().unwrap()["manual"], true);
    assert_eq!(answers.next().unwrap()["records"], serde_json::json!([]));
}
