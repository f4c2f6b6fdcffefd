//! The originals, in one JVM: see `tests/peers/kafka-tools/Scripts.java`.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use crate::interop::peers;

/// The class behind each script.
const CLASSES: &[(&str, &str)] = &[
    ("kafka-topics", "org.apache.kafka.tools.TopicCommand"),
    ("kafka-configs", "kafka.admin.ConfigCommand"),
    ("kafka-consumer-groups", "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand"),
    ("kafka-get-offsets", "org.apache.kafka.tools.GetOffsetShell"),
    ("kafka-delete-records", "org.apache.kafka.tools.DeleteRecordsCommand"),
    ("kafka-log-dirs", "org.apache.kafka.tools.LogDirsCommand"),
    ("kafka-broker-api-versions", "org.apache.kafka.tools.BrokerApiVersionsCommand"),
    ("kafka-console-producer", "org.apache.kafka.tools.ConsoleProducer"),
    ("kafka-console-consumer", "org.apache.kafka.tools.consumer.ConsoleConsumer"),
    ("kafka-producer-perf-test", "org.apache.kafka.tools.ProducerPerformance"),
    ("kafka-consumer-perf-test", "org.apache.kafka.tools.ConsumerPerformance"),
    ("kafka-dump-log", "org.apache.kafka.tools.DumpLogSegments"),
];

/// What a script said, and the code that it ended with.
#[derive(Debug, Clone)]
pub(super) struct Said {
    pub(super) code: i32,
    pub(super) out: String,
    pub(super) err: String,
}

/// The JVM. It ends with its input.
pub(super) struct Jvm {
    child: Child,
    requests: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

impl Jvm {
    pub(super) fn start() -> Jvm {
        let mut command = Command::new(peers().join("kafka-tools/scripts"));
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (requests, answers) = (child.stdin.take(), BufReader::new(child.stdout.take().unwrap()));
        Jvm { child, requests, answers }
    }

    /// Runs a script to its end.
    pub(super) fn run(&mut self, script: &str, arguments: &[String], input: &Path) -> Said {
        let (_, class) =
            CLASSES.iter().find(|(name, _)| *name == script).unwrap_or_else(|| panic!("no script {script}"));
        let mut fields = vec![input.display().to_string(), (*class).to_owned()];
        fields.extend_from_slice(arguments);
        let requests = self.requests.as_mut().unwrap();
        writeln!(requests, "{}", fields.join("\u{1f}")).unwrap();
        requests.flush().unwrap();
        let mut head = String::new();
        self.answers.read_line(&mut head).unwrap();
        let numbers: Vec<usize> = head.split_whitespace().map(|number| number.parse().unwrap()).collect();
        let [code, out, err] = numbers[..] else { panic!("the JVM ended at {script} {arguments:?}") };
        let mut text = |length| {
            let mut bytes = vec![0; length];
            self.answers.read_exact(&mut bytes).unwrap();
            String::from_utf8_lossy(&bytes).into_owned()
        };
        Said { code: i32::try_from(code).unwrap(), out: text(out), err: text(err) }
    }
}

impl Drop for Jvm {
    fn drop(&mut self) {
        drop(self.requests.take());
        let _ = self.child.wait();
    }
}
