//! A snapshot as a file.
//!
//! | field | type |
//! |---|---|
//! | `KLAMMSNP` | 8 bytes |
//! | version, 1 | u32, big-endian like all that follows |
//! | CRC-32C of the head | u32 |
//! | length of the head | u32 |
//! | head: JSON, see [`Head`] | |
//! | for each topic of the head, in order, and each of its partitions: what its log holds | a section as `klamm_storage` writes it, with a checksum of its own |
//!
//! The file ends there. A file of another version is refused: there is no other yet.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::path::Path;
use std::sync::Arc;

use crc32c::crc32c;
use klamm_storage::{ImageError, LogImage};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Contents, SnapshotError};
use crate::cluster::Placement;
use crate::config::{Layers, check_remembered, resource_rules};
use crate::coordinator::group::{Generation, GroupImage, OffsetValue};
use crate::limits::MAX_PARTITIONS;
use crate::random::RandomState;
use crate::topics::{TopicImage, TopicImages};

const MAGIC: &[u8; 8] = b"KLAMMSNP";
const VERSION: u32 = 1;

/// How long the head may be: some hundred bytes for each topic and each committed offset.
const LONGEST_HEAD: u32 = 512 * 1024 * 1024;

/// How much of the head is read at once: what a file only claims to hold takes no memory.
const STEP_BYTES: u64 = 1024 * 1024;

/// Everything but what logs hold.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Head {
    time_ms: i64,
    cluster_id: String,
    next_producer_id: i64,
    random: RandomState,
    configs: Configs,
    topics: Vec<Topic>,
    groups: Vec<Group>,
}

/// What was set dynamically, for all brokers, for this one, by group, and by metrics subscription.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Configs {
    cluster: BTreeMap<String, String>,
    broker: BTreeMap<String, String>,
    groups: BTreeMap<String, BTreeMap<String, String>>,
    client_metrics: BTreeMap<String, BTreeMap<String, String>>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Topic {
    name: String,
    id: Uuid,
    partitions: usize,
    configs: BTreeMap<String, String>,
    /// Where each partition is; nothing where all are on the first node alone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    placements: Vec<Placement>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Group {
    id: String,
    /// None for one that nobody has ever joined.
    generation: Option<Joined>,
    offsets: Vec<Offset>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Joined {
    number: i32,
    protocol_type: String,
    since_ms: i64,
    had_members: bool,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Offset {
    topic: String,
    topic_id: Uuid,
    partition: i32,
    offset: i64,
    leader_epoch: i32,
    metadata: String,
    committed_ms: i64,
    expires_ms: Option<i64>,
}

/// Writes a file beside `path`, and has it take that name once all of it is on the disk.
pub(super) fn save(contents: &Contents, path: &Path) -> Result<(), SnapshotError> {
    let failed = |why| SnapshotError::Write { path: path.to_owned(), why };
    let mut temporary = path.as_os_str().to_owned();
    temporary.push(format!(".{}.tmp", std::process::id()));
    let written = write(contents, Path::new(&temporary)).and_then(|()| std::fs::rename(&temporary, path));
    written.map_err(|why| {
        // What there is of it is of no use; that it cannot be removed is not what went wrong.
        let _ = std::fs::remove_file(&temporary);
        failed(why)
    })
}

fn write(contents: &Contents, path: &Path) -> io::Result<()> {
    let head = serde_json::to_vec(&Head::of(contents))?;
    let length = u32::try_from(head.len()).ok().filter(|length| *length <= LONGEST_HEAD);
    let length =
        length.ok_or_else(|| io::Error::other("there are too many topics and offsets for a file"))?;
    let mut out = BufWriter::new(File::create(path)?);
    out.write_all(MAGIC)?;
    out.write_all(&VERSION.to_be_bytes())?;
    out.write_all(&crc32c(&head).to_be_bytes())?;
    out.write_all(&length.to_be_bytes())?;
    out.write_all(&head)?;
    for topic in contents.topics.iter() {
        topic.partitions.iter().try_for_each(|log| log.write(&mut out))?;
    }
    out.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()
}

/// Reads a file, and believes nothing of it.
pub(super) fn load(path: &Path) -> Result<Contents, SnapshotError> {
    let failed = |why: String| SnapshotError::Read { path: path.to_owned(), why };
    let file = File::open(path).map_err(|error| failed(error.to_string()))?;
    let mut input = BufReader::new(file);
    let contents = read_head(&mut input).and_then(|head| head.into_contents(&mut input)).map_err(failed)?;
    match input.read(&mut [0]) {
        Ok(0) => Ok(contents),
        Ok(_) => Err(failed("it goes on behind its end".to_owned())),
        Err(error) => Err(failed(error.to_string())),
    }
}

fn read_head(input: &mut impl Read) -> Result<Head, String> {
    let (mut magic, mut numbers) = ([0; 8], [[0; 4]; 3]);
    input.read_exact(&mut magic).map_err(cut)?;
    if magic != *MAGIC {
        return Err("it does not begin as one does".to_owned());
    }
    for number in &mut numbers {
        input.read_exact(number).map_err(cut)?;
    }
    let [version, crc, length] = numbers.map(u32::from_be_bytes);
    if version != VERSION {
        return Err(format!("it has the format {version}, and this Klamm reads the format {VERSION}"));
    }
    if length > LONGEST_HEAD {
        return Err(format!("it says that its head has {length} bytes"));
    }
    let mut head = Vec::new();
    while head.len() < length as usize {
        let step = (u64::from(length) - head.len() as u64).min(STEP_BYTES);
        if input.by_ref().take(step).read_to_end(&mut head).map_err(cut)? == 0 {
            return Err("it ends too early".to_owned());
        }
    }
    if crc32c(&head) != crc {
        return Err("the checksum of its head is wrong".to_owned());
    }
    serde_json::from_slice(&head).map_err(|error| format!("its head cannot be read: {error}"))
}

fn cut(error: io::Error) -> String {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => "it ends too early".to_owned(),
        _ => error.to_string(),
    }
}

impl Head {
    fn of(contents: &Contents) -> Self {
        let layers = Layers::clone(&contents.layers);
        let topic = |topic: &Arc<TopicImage>| Topic {
            name: topic.name.to_string(),
            id: topic.id,
            partitions: topic.partitions.len(),
            configs: BTreeMap::clone(&topic.overrides),
            placements: topic.placements.iter().map(|placement| Placement::clone(placement)).collect(),
        };
        Head {
            time_ms: contents.time_ms,
            cluster_id: contents.cluster_id.clone(),
            next_producer_id: contents.next_producer_id,
            random: contents.random,
            configs: Configs {
                cluster: layers.cluster,
                broker: layers.broker,
                groups: layers.groups,
                client_metrics: layers.client_metrics,
            },
            topics: contents.topics.iter().map(topic).collect(),
            groups: contents.groups.iter().map(Group::of).collect(),
        }
    }

    /// The contents, with what `input` says that logs hold.
    fn into_contents(self, input: &mut impl Read) -> Result<Contents, String> {
        let configs = self.configs;
        let layers = Layers {
            cluster: configs.cluster,
            broker: configs.broker,
            groups: configs.groups,
            client_metrics: configs.client_metrics,
            ..Layers::default()
        };
        check_remembered(&layers).map_err(|error| format!("a config in it will not do: {error}"))?;
        if self.next_producer_id < 0 || self.random == [0; 4] {
            return Err("what it says of producer ids or draws cannot be".to_owned());
        }
        let partitions = self.topics.iter().fold(0_usize, |all, topic| all.saturating_add(topic.partitions));
        if partitions > MAX_PARTITIONS {
            return Err(format!("it has {partitions} partitions, and a broker {MAX_PARTITIONS} at the most"));
        }
        let topics = self.topics.into_iter().map(|topic| topic.into_image(&layers, input));
        let topics = topics.collect::<Result<Vec<_>, _>>()?;
        Ok(Contents {
            time_ms: self.time_ms,
            cluster_id: self.cluster_id,
            topics: TopicImages::of(topics).map_err(|error| error.to_string())?,
            groups: groups(self.groups)?,
            layers: Arc::new(layers),
            next_producer_id: self.next_producer_id,
            random: self.random,
        })
    }
}

impl Topic {
    fn into_image(self, layers: &Layers, input: &mut impl Read) -> Result<TopicImage, String> {
        let name = self.name;
        resource_rules::check_topic(layers, &self.configs)
            .map_err(|error| format!("a config of the topic '{name}' will not do: {error}"))?;
        if self.partitions == 0 {
            return Err(format!("the topic '{name}' has no partitions"));
        }
        if !self.placements.is_empty() && self.placements.len() != self.partitions {
            return Err(format!(
                "the topic '{name}' has another number of partitions and of places for them"
            ));
        }
        if self.placements.iter().any(|placement| !placement.is_sound()) {
            return Err(format!("a partition of the topic '{name}' cannot be where it is said to be"));
        }
        let mut logs = Vec::new();
        for partition in 0..self.partitions {
            let log = LogImage::read(input).map_err(|error| match error {
                ImageError::Cut => "it ends too early".to_owned(),
                error => format!("the log of {name}-{partition}: {error}"),
            })?;
            logs.push(Arc::new(log));
        }
        Ok(TopicImage {
            id: self.id,
            options: Arc::new(layers.log_options(&self.configs)),
            overrides: Arc::new(self.configs),
            partitions: logs.into(),
            placements: self.placements.into_iter().map(Arc::new).collect(),
            name: name.into(),
        })
    }
}

impl Group {
    fn of(image: &GroupImage) -> Self {
        let generation = image.generation().map(|generation| Joined {
            number: generation.number,
            protocol_type: generation.protocol_type,
            since_ms: generation.since_ms,
            had_members: generation.had_members,
        });
        let offset = |(topic, partition, value): (&str, i32, &OffsetValue)| Offset {
            topic: topic.to_owned(),
            topic_id: value.topic_id,
            partition,
            offset: value.offset,
            leader_epoch: value.leader_epoch,
            metadata: value.metadata.clone(),
            committed_ms: value.commit_timestamp,
            expires_ms: value.expire_timestamp,
        };
        Group { id: image.id.clone(), generation, offsets: image.offsets().map(offset).collect() }
    }

    fn into_image(self) -> GroupImage {
        let generation = self.generation.map(|joined| Generation {
            number: joined.number,
            protocol_type: joined.protocol_type,
            since_ms: joined.since_ms,
            had_members: joined.had_members,
        });
        let offset = |offset: Offset| {
            let value = OffsetValue {
                offset: offset.offset,
                leader_epoch: offset.leader_epoch,
                metadata: offset.metadata,
                commit_timestamp: offset.committed_ms,
                expire_timestamp: offset.expires_ms,
                topic_id: offset.topic_id,
            };
            (offset.topic, offset.partition, value)
        };
        GroupImage::new(self.id, generation, self.offsets.into_iter().map(offset))
    }
}

/// Groups in the order of their ids, each of which is there once.
fn groups(groups: Vec<Group>) -> Result<Vec<GroupImage>, String> {
    let in_order = groups.windows(2).all(|pair| matches!(pair, [one, next] if one.id < next.id));
    if !in_order {
        return Err("its groups are not in order".to_owned());
    }
    Ok(groups.into_iter().map(Group::into_image).collect())
}
