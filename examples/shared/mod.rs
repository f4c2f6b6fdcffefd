//! What the examples share: which broker they run against, and topics of their own there.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use klamm::{Admin, ClientError, NewTopic, create_admin};
use serde_json::json;

/// How long an example waits for a record that must come.
pub(crate) const SOON: Duration = Duration::from_secs(30);

/// A broker, and topics on it that are there for one run of an example.
pub(crate) struct Stage {
    /// What `bootstrap_servers` is set to: the first argument, or a broker within this process.
    pub(crate) broker: String,
    run: u128,
    admin: Admin,
    topics: Vec<String>,
}

impl Stage {
    /// On the broker that the first argument names; without one, on a broker that is started within this process.
    pub(crate) fn new() -> Result<Self, ClientError> {
        let broker = std::env::args().nth(1).unwrap_or_else(|| "embedded://examples".to_owned());
        let admin = create_admin("examples", json!({ "bootstrap_servers": broker }))?;
        // Names of its own, so that it can be run on a real cluster again and again.
        let run = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
        Ok(Stage { broker, run, admin, topics: Vec::new() })
    }

    /// A name that no other run uses; for groups.
    pub(crate) fn name(&self, name: &str) -> String {
        format!("klamm-example-{name}-{}", self.run)
    }

    /// Creates a topic with so many partitions and these configs, and gives its name.
    pub(crate) fn topic(
        &mut self,
        name: &str,
        partitions: i32,
        configs: &[(&str, &str)],
    ) -> Result<String, ClientError> {
        let name = self.name(name);
        let mut topic = NewTopic::new(&name).partitions(partitions);
        for (key, value) in configs {
            topic = topic.config(*key, *value);
        }
        self.admin.create_topics([topic]).wait()?.all()?;
        self.topics.push(name.clone());
        Ok(name)
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        // A real cluster is left as it was found.
        if let Err(error) = self.admin.delete_topics(self.topics.clone()).wait() {
            eprintln!("the example's topics were not deleted: {error}");
        }
    }
}
