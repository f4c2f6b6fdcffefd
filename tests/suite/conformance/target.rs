//! What a scenario is played against: a Klamm of its own, or a broker at an address, shared by all scenarios and
//! wiped before each.

use super::session::ask;
use super::wire::{PATIENCE, Wire};
use kafka_protocol::messages::*;
use kafka_protocol::protocol::StrBytes;
use klamm_broker::Broker;
use std::net::{SocketAddr, ToSocketAddrs};
use std::path::Path;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// A broker to play against.
pub(crate) struct Target {
    pub(crate) address: SocketAddr,
    /// A broker at an address: Apache Kafka.
    pub(crate) shared: bool,
    /// A Klamm without a disk.
    pub(crate) in_memory: bool,
    /// How long silence must last to count as no answer.
    pub(crate) silence: Duration,
    /// Print each step.
    pub(crate) verbose: bool,
    // In this order: the broker lets go of its folder before that is removed.
    _broker: Option<Broker>,
    _folder: Option<TempDir>,
}

impl Target {
    /// A broker that runs at `HOST:PORT`.
    pub(crate) fn at(address: &str) -> Target {
        let address = address.to_socket_addrs().ok().and_then(|mut all| all.next()).expect("HOST:PORT");
        Target {
            address,
            shared: true,
            in_memory: false,
            silence: Duration::from_millis(1500),
            verbose: verbose(),
            _broker: None,
            _folder: None,
        }
    }

    /// A new Klamm that keeps nothing.
    pub(crate) fn in_memory() -> Target {
        Target::klamm(None)
    }

    /// A new Klamm that keeps its data in a folder of its own.
    pub(crate) fn in_a_folder() -> Target {
        Target::klamm(Some(TempDir::new().expect("a folder can be made")))
    }

    fn klamm(folder: Option<TempDir>) -> Target {
        let (address, broker) = start_klamm(folder.as_ref().map(TempDir::path));
        Target {
            address,
            shared: false,
            in_memory: folder.is_none(),
            silence: Duration::from_millis(400),
            verbose: verbose(),
            _broker: Some(broker),
            _folder: folder,
        }
    }

    /// Returns when the broker acts on everything that was acknowledged before. Kafka's controller acknowledges
    /// a change before its broker has taken it over; changes are taken over in order, one at a time: when a
    /// second later change is visible, all that came before the first is done.
    pub(crate) fn settle(&self) {
        if !self.shared {
            return;
        }
        let mut wire = Wire::connect(self.address);
        for value in ["50001", "50002"] {
            set_barrier(&mut wire, Some(value));
            wait(|| barrier(&mut wire).as_deref() == Some(value));
        }
        set_barrier(&mut wire, None);
        wait(|| barrier(&mut wire).as_deref() == Some("45000"));
    }

    /// Waits until the broker serves, with its coordinators (and so the internal topics) there. Removes what other
    /// scenarios left: groups, topics, configs.
    pub(crate) fn prepare(&self) {
        let mut wire = Wire::connect(self.address);
        wait_for_coordinators(&mut wire);
        if !self.shared {
            return;
        }
        wipe_groups(&mut wire);
        wipe_topics(&mut wire);
        wipe_configs(&mut wire);
        self.settle();
    }
}

/// Starts a Klamm with node id 1 in this process.
fn start_klamm(folder: Option<&Path>) -> (SocketAddr, Broker) {
    let builder = Broker::builder().listen("127.0.0.1:0").config("node.id", "1");
    let builder = match folder {
        Some(folder) => builder.data_dir(folder),
        None => builder,
    };
    let broker = builder.start().expect("a broker starts");
    let address = broker.bootstrap_servers().parse().expect("an address");
    (address, broker)
}

fn verbose() -> bool {
    std::env::var_os("KLAMM_CONFORMANCE_VERBOSE").is_some()
}

fn wait(mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "the broker settles within the time limit");
        std::thread::park_timeout(Duration::from_millis(3));
    }
}

const GROUP: i8 = 32;
const BARRIER: (&str, &str) = ("conformance-barrier", "consumer.session.timeout.ms");

fn set_barrier(wire: &mut Wire, value: Option<&str>) {
    alter(wire, GROUP, BARRIER.0, &[BARRIER.1], value);
}

/// Sets configs, or deletes them.
fn alter(wire: &mut Wire, kind: i8, name: &str, configs: &[&str], value: Option<&str>) {
    use incremental_alter_configs_request::{AlterConfigsResource, AlterableConfig};
    let configs = configs.iter().map(|config| {
        AlterableConfig::default()
            .with_name(StrBytes::from_string(config.to_string()))
            .with_config_operation(i8::from(value.is_none()))
            .with_value(value.map(|v| StrBytes::from_string(v.to_string())))
    });
    let resource = AlterConfigsResource::default()
        .with_resource_type(kind)
        .with_resource_name(StrBytes::from_string(name.to_string()))
        .with_configs(configs.collect());
    let answer = ask(wire, 1, &IncrementalAlterConfigsRequest::default().with_resources(vec![resource]));
    assert!(answer.responses.iter().all(|r| r.error_code == 0), "configs of {name}: {answer:?}");
}

fn describe(wire: &mut Wire, kind: i8, name: &str) -> Vec<(StrBytes, Option<StrBytes>, i8)> {
    use describe_configs_request::DescribeConfigsResource;
    let resource = DescribeConfigsResource::default()
        .with_resource_type(kind)
        .with_resource_name(StrBytes::from_string(name.to_string()))
        .with_configuration_keys(None);
    let answer = ask(wire, 4, &DescribeConfigsRequest::default().with_resources(vec![resource]));
    let configs = answer.results.into_iter().flat_map(|r| r.configs);
    configs.map(|c| (c.name, c.value, c.config_source)).collect()
}

fn barrier(wire: &mut Wire) -> Option<String> {
    let configs = describe(wire, GROUP, BARRIER.0);
    configs.into_iter().find(|c| &*c.0 == BARRIER.1)?.1.map(|v| v.to_string())
}

fn wait_for_coordinators(wire: &mut Wire) {
    wait(|| {
        let find = FindCoordinatorRequest::default().with_key(StrBytes::from_static_str("wipe"));
        ask(wire, 3, &find).error_code == 0
    });
    wait(|| ask(wire, 5, &ListGroupsRequest::default()).error_code == 0);
    // Kafka fetches its first block of producer ids when the first is asked for.
    wait(|| ask(wire, 0, &InitProducerIdRequest::default().with_transactional_id(None)).error_code == 0);
}

fn wipe_groups(wire: &mut Wire) {
    wait(|| {
        let groups: Vec<_> =
            ask(wire, 5, &ListGroupsRequest::default()).groups.into_iter().map(|g| g.group_id).collect();
        if groups.is_empty() {
            return true;
        }
        let described = ask(wire, 5, &DescribeGroupsRequest::default().with_groups(groups.clone()));
        for group in described.groups {
            let members = group.members.into_iter().map(|m| {
                leave_group_request::MemberIdentity::default()
                    .with_member_id(m.member_id)
                    .with_group_instance_id(m.group_instance_id)
            });
            let leave =
                LeaveGroupRequest::default().with_group_id(group.group_id).with_members(members.collect());
            ask(wire, 5, &leave);
        }
        let deleted = ask(wire, 2, &DeleteGroupsRequest::default().with_groups_names(groups));
        if verbose() {
            println!("{deleted:?}");
        }
        false
    });
}

fn wipe_topics(wire: &mut Wire) {
    use delete_topics_request::DeleteTopicState;
    let all = ask(wire, 12, &MetadataRequest::default().with_topics(None)).topics;
    let topics = all.into_iter().filter(|t| !t.is_internal);
    let topics: Vec<_> = topics.map(|t| DeleteTopicState::default().with_topic_id(t.topic_id)).collect();
    if !topics.is_empty() {
        ask(wire, 6, &DeleteTopicsRequest::default().with_topics(topics).with_timeout_ms(10_000));
    }
}

fn wipe_configs(wire: &mut Wire) {
    let request = ListConfigResourcesRequest::default().with_resource_types(vec![4, 16, 32]);
    for resource in ask(wire, 1, &request).config_resources {
        let names = if resource.resource_type == 4 { ["1", ""] } else { [&*resource.resource_name; 2] };
        for name in names {
            let configs = describe(wire, resource.resource_type, name);
            // Dynamic: of a broker (2), the cluster (3), client metrics (7) or a group (8). Kafka itself sets
            // the cluster's min.insync.replicas and refuses to change it.
            let own = |source: i8| matches!((source, name), (2, "1") | (3, "") | (7..=8, _));
            let set = configs.iter().filter(|c| own(c.2) && &*c.0 != "min.insync.replicas");
            let set: Vec<&str> = set.map(|c| &*c.0).collect();
            if !set.is_empty() {
                alter(wire, resource.resource_type, name, &set, None);
            }
        }
    }
}
