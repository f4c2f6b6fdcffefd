//! The topic that tests write to and read from.

use std::sync::Arc;

use klamm::{Admin, NewTopic, ResponseError};

use crate::cli::connect::Cluster;
use crate::cli::error::Failure;
use crate::cli::times;

/// A topic, and whether it was made for the tests.
pub(super) struct Topic {
    pub(super) name: Arc<str>,
    pub(super) admin: Admin,
    is_ours: bool,
}

impl Topic {
    /// The topic of this name, or a new one.
    pub(super) fn prepare(cluster: &Cluster, name: Option<&str>, partitions: i32) -> Result<Topic, Failure> {
        let admin = cluster.admin()?;
        let name = match name {
            Some(name) => name.to_owned(),
            None => format!("klamm-bench-{}-{}", std::process::id(), times::now_millis()),
        };
        let described = cluster.wait(admin.describe_topics([name.clone()]))?;
        let is_there = match described.into_iter().next() {
            Some((_, Ok(_))) => true,
            Some((_, Err(error))) if error.code() != Some(ResponseError::UnknownTopicOrPartition) => {
                return Err(cluster.explain(error).into());
            }
            _ => false,
        };
        if !is_there {
            let created =
                cluster.wait(admin.create_topics([NewTopic::new(&*name).partitions(partitions)]))?;
            created.all().map_err(|error| cluster.explain(error))?;
        }
        Ok(Topic { name: name.into(), admin, is_ours: !is_there })
    }

    /// Deletes it if it was made for the tests.
    pub(super) fn remove(&self, cluster: &Cluster) -> Result<(), Failure> {
        if self.is_ours {
            let deleted = cluster.wait(self.admin.delete_topics([self.name.to_string()]))?;
            deleted.all().map_err(|error| cluster.explain(error))?;
        }
        Ok(())
    }
}
