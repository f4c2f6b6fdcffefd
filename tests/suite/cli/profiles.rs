//! How a command finds its cluster: options, files, profiles and the environment, and which of them goes before which.

use std::path::Path;

use super::{Cluster, Said, klamm, rows, said};
use crate::client::place::Kafka;

/// Asks for the brokers; the config file and the environment are the test's.
fn brokers(config: &Path, environment: &[(&str, &str)], args: &[&str]) -> Said {
    let mut command = klamm(&["cluster", "brokers", "--json", "--timeout", "2s"]);
    said(command.args(args).env("KLAMM_CONFIG", config).envs(environment.iter().copied()))
}

/// The port of the cluster that answered.
fn port(said: &Said) -> String {
    assert_eq!(said.code, Some(0), "{said:?}");
    rows(&said.out)[0]["port"].to_string()
}

#[test]
fn what_is_said_more_nearly_goes_first() {
    let clusters: Vec<_> = (0..5).map(|_| Cluster::klamm()).collect();
    let address = |place: usize| clusters[place].place.address.as_str();
    let port_of = |place: usize| address(place).rsplit_once(':').unwrap().1.to_owned();
    let folder = tempfile::tempdir().unwrap();
    let (config, properties) = (folder.path().join("config.toml"), folder.path().join("client.properties"));
    let text = format!(
        "default = \"first\"\n[profiles.first]\nbootstrap-servers = \"{}\"\n[profiles.second]\nbootstrap-servers = [\"{}\"]\n",
        address(0),
        address(1)
    );
    std::fs::write(&config, text).unwrap();
    std::fs::write(&properties, format!("bootstrap.servers={}\n", address(2))).unwrap();
    let (file, environment) = (properties.to_str().unwrap(), [("KAFKA_BOOTSTRAP_SERVERS", address(3))]);
    assert_eq!(port(&brokers(&config, &[], &[])), port_of(0));
    assert_eq!(port(&brokers(&config, &environment, &[])), port_of(3));
    let both = [("KAFKA_BOOTSTRAP_SERVERS", address(3)), ("KLAMM_BOOTSTRAP_SERVERS", address(4))];
    assert_eq!(port(&brokers(&config, &both, &[])), port_of(4));
    assert_eq!(port(&brokers(&config, &environment, &["--profile", "second"])), port_of(1));
    let args = ["--profile", "second", "--command-config", file];
    assert_eq!(port(&brokers(&config, &environment, &args)), port_of(2));
    let args = [&args[..], &["-b", address(4)]].concat();
    assert_eq!(port(&brokers(&config, &environment, &args)), port_of(4));
}

#[test]
fn a_default_profile_gives_its_password_to_its_own_cluster_only() {
    let cluster = Cluster::klamm();
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("config.toml");
    let text = "default = \"secret\"\n[profiles.secret]\nbootstrap-servers = \"localhost:1\"\n\
                options = { security.protocol = \"SASL_PLAINTEXT\", sasl.username = \"alice\", sasl.password = \"x\" }\n";
    std::fs::write(&config, text).unwrap();
    // Signing on would fail here: this broker offers no way to.
    let environment = [("KLAMM_BOOTSTRAP_SERVERS", cluster.place.address.as_str())];
    assert_eq!(brokers(&config, &environment, &[]).code, Some(0));
    assert_eq!(brokers(&config, &[], &["-b", &cluster.place.address]).code, Some(0));
}

#[test]
fn what_is_wrong_with_a_profile_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("config.toml");
    let told = |text: &str, args: &[&str]| {
        std::fs::write(&config, text).unwrap();
        let said = brokers(&config, &[], args);
        assert!(said.code == Some(2) && said.out.is_empty(), "{text}: {said:?}");
        said.err
    };
    let staging = "[profiles.staging]\nbootstrap-servers = \"localhost:1\"\n";
    assert!(told(staging, &["--profile", "stagin"]).contains("did you mean 'staging'?"));
    assert!(told(staging, &["--profile", "production"]).contains("it has staging"));
    assert!(told("[profiles.a]\nbootstrap-servres = \"x\"", &["--profile", "a"]).contains("line 2"));
    assert!(told("[profiles.a\n", &["--profile", "a"]).contains("line 1"));
    assert!(told("[profiles.a]\ntimeout = \"soon\"", &["--profile", "a"]).contains("a time is written as"));
    assert!(told("[profiles.a]\ncommand-config = \"gone\"", &["--profile", "a"]).contains("gone"));
    assert!(
        told("[profiles.a.options]\nsecurity.protocl = \"SSL\"", &["--profile", "a"])
            .contains("'security.protocol'")
    );
    std::fs::remove_file(&config).unwrap();
    let said = brokers(&config, &[], &["--profile", "a"]);
    assert!(said.code == Some(2) && said.err.contains("there is no config file"), "{said:?}");
}

#[test]
fn tls_and_passwords_are_taken_from_files_profiles_and_options() {
    let Some(kafka) = Kafka::get() else { return };
    let folder = tempfile::tempdir().unwrap();
    let (config, properties) = (folder.path().join("config.toml"), folder.path().join("client.properties"));
    let java = format!(
        "security.protocol=SASL_SSL\nsasl.mechanism=SCRAM-SHA-512\nssl.truststore.type=PEM\nssl.truststore.location={}\n\
         sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required username=\"alice\" password=\"wonderland\";\n",
        kafka.address("CA")
    );
    std::fs::write(&properties, java).unwrap();
    let of_profile = format!(
        "[profiles.safe]\nbootstrap-servers = \"{}\"\ncommand-config = \"client.properties\"\ntimeout = \"20s\"\n",
        kafka.address("SASL_SSL")
    );
    std::fs::write(&config, of_profile).unwrap();
    let mut list = klamm(&["topics", "list", "--profile", "safe"]);
    let listed = said(list.env("KLAMM_CONFIG", &config));
    assert_eq!((listed.code, listed.err.as_str()), (Some(0), ""), "{listed:?}");
    let ca = format!("ssl.ca.location={}", kafka.address("CA"));
    let listed = said(&mut klamm(&[
        "topics",
        "list",
        "-b",
        kafka.address("SSL"),
        "-X",
        "security.protocol=SSL",
        "-X",
        &ca,
    ]));
    assert_eq!((listed.code, listed.err.as_str()), (Some(0), ""), "{listed:?}");
}

#[test]
fn refused_credentials_are_told_at_once() {
    let Some(kafka) = Kafka::get() else { return };
    let address = kafka.address("SASL_PLAINTEXT");
    let sign_on =
        ["-X", "security.protocol=SASL_PLAINTEXT", "-X", "sasl.mechanism=PLAIN", "-X", "sasl.username=alice"];
    for args in [["topics", "list"], ["groups", "list"], ["cluster", "apis"], ["configs", "describe"]] {
        let more = if args[0] == "configs" { &["topics"][..] } else { &[] };
        let began = std::time::Instant::now();
        let mut command = klamm(&[&args[..], more, &["-b", address, "--timeout", "60s"], &sign_on].concat());
        let said = said(command.args(["-X", "sasl.password=swordfish"]));
        assert!(said.code == Some(1) && said.err.contains("--command-config"), "{args:?}: {said:?}");
        assert!(!said.err.contains("swordfish") && said.err.contains("'alice'"), "{said:?}");
        assert!(began.elapsed().as_secs() < 30, "{said:?}");
    }
}
