//! A command's dealings with a cluster: its administrator, what to say where a name is unknown, and outcomes of several things.

use std::cell::{Cell, OnceCell};
use std::collections::HashSet;

use klamm::{Admin, Call, ClientError, Each, ErrorKind, ResponseError, TopicPartition};

use super::connect::{Cluster, ConnectArgs};
use super::error::{Failure, Usage, say};
use super::values::did_you_mean;

/// An administrator of the cluster that a command was told of.
#[derive(Debug)]
pub(crate) struct Session {
    /// The administrator.
    pub(crate) admin: Admin,
    cluster: Cluster,
    /// Whether a broker has been reached.
    reached: Cell<bool>,
    /// What there is, once somebody had to know it.
    topics: OnceCell<Vec<String>>,
    groups: OnceCell<Vec<String>>,
}

/// What a name is the name of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Named {
    /// A topic.
    Topic,
    /// A consumer group.
    Group,
}

impl Session {
    /// Of what a command was told. Nothing is connected to yet.
    pub(crate) fn open(connect: &ConnectArgs) -> Result<Session, Failure> {
        let cluster = connect.settle()?;
        Ok(Session {
            admin: cluster.admin()?,
            cluster,
            reached: Cell::default(),
            topics: OnceCell::new(),
            groups: OnceCell::new(),
        })
    }

    /// Waits for a call. Before the first it is made sure that a broker can be reached; the call is under way meanwhile.
    pub(crate) fn wait<T: Send + 'static>(&self, call: Call<T>) -> Result<T, Failure> {
        if !self.reached.replace(true) {
            self.cluster.reach(&self.admin)?;
        }
        self.cluster.wait(call)
    }

    /// The same error with what to do about it.
    pub(crate) fn explain(&self, error: ClientError) -> ClientError {
        self.cluster.explain(error)
    }

    /// The same error, with the nearest name that there is where it says that there is none of this name.
    pub(crate) fn explain_name(&self, what: Named, name: &str, error: ClientError) -> ClientError {
        let unknown = match what {
            Named::Topic => matches!(
                error.code(),
                Some(ResponseError::UnknownTopicOrPartition | ResponseError::UnknownTopicId)
            ),
            Named::Group => matches!(error.code(), Some(ResponseError::GroupIdNotFound)),
        };
        if unknown { self.unknown(what, name, &error) } else { self.explain(error) }
    }

    /// An error that says that there is no such topic or group, and which there is that may be meant.
    pub(crate) fn unknown(&self, what: Named, name: &str, error: &ClientError) -> ClientError {
        let (noun, list) = match what {
            Named::Topic => ("topic", "klamm topics list"),
            Named::Group => ("group", "klamm groups list"),
        };
        let known = self.names(what);
        let nearest = did_you_mean(name, known.iter().map(String::as_str).filter(|known| *known != name));
        let error = ClientError::new(
            ErrorKind::Broker,
            sentence(error),
            format!("there is no {noun} '{name}'{nearest}"),
        );
        if nearest.is_empty() { error.remedy(format!("`{list}` shows those that there are")) } else { error }
    }

    /// All names that there are; none where they cannot be had: then none is proposed.
    fn names(&self, what: Named) -> &[String] {
        match what {
            Named::Topic => self.topics.get_or_init(|| {
                let topics = self.admin.list_topics().wait().unwrap_or_default();
                topics.into_iter().map(|topic| topic.name).collect()
            }),
            Named::Group => self.groups.get_or_init(|| {
                let groups = self.admin.list_groups().wait().unwrap_or_default();
                groups.into_iter().map(|group| group.id).collect()
            }),
        }
    }

    /// What became well; the rest is said on stderr, each with `explain`. And whether all did.
    pub(crate) fn sort<K, T>(
        &self,
        outcomes: Each<K, T>,
        explain: impl Fn(&Self, &K, ClientError) -> ClientError,
    ) -> (Vec<(K, T)>, bool) {
        let mut good = Vec::with_capacity(outcomes.len());
        let mut all = true;
        for (key, outcome) in outcomes {
            match outcome {
                Ok(value) => good.push((key, value)),
                Err(error) => {
                    all = false;
                    say(explain(self, &key, error));
                }
            }
        }
        (good, all)
    }

    /// All partitions of a topic.
    pub(crate) fn partitions(&self, topic: &str) -> Result<Vec<TopicPartition>, Failure> {
        let described = self.wait(self.admin.describe_topics([topic]))?;
        let mut partitions = Vec::new();
        for (name, outcome) in described {
            let topic = outcome.map_err(|error| self.explain_name(Named::Topic, &name, error))?;
            let of = |partition: klamm::PartitionDescription| {
                TopicPartition::new(name.as_str(), partition.partition)
            };
            partitions.extend(topic.partitions.into_iter().map(of));
        }
        Ok(partitions)
    }

    /// The partitions that `TOPIC` (all of them) or `TOPIC:0,2,5-7` names. All must be there.
    pub(crate) fn partitions_of(&self, wanted: &TopicChoice) -> Result<Vec<TopicPartition>, Failure> {
        let all = self.partitions(&wanted.topic)?;
        let Some(chosen) = &wanted.partitions else { return Ok(all) };
        let there: HashSet<i32> = all.iter().map(|partition| partition.partition).collect();
        let mut found = Vec::with_capacity(chosen.len());
        for number in chosen {
            let partition = TopicPartition::new(wanted.topic.as_str(), *number);
            if !there.contains(number) {
                let (topic, last) = (&wanted.topic, all.len().saturating_sub(1));
                return Err(format!(
                    "the topic '{topic}' has no partition {number}: its partitions are 0 to {last}"
                )
                .into());
            }
            found.push(partition);
        }
        Ok(found)
    }
}

/// What was asked, of a sentence of the client's.
fn sentence(error: &ClientError) -> String {
    let whole = error.to_string();
    whole.split_once(" failed: ").map_or(whole.clone(), |(asked, _)| asked.to_owned())
}

/// `TOPIC`, or some of its partitions: `TOPIC:0,2,5-7`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TopicChoice {
    /// The topic.
    pub(crate) topic: String,
    /// Which of its partitions; none for all.
    pub(crate) partitions: Option<Vec<i32>>,
}

/// Most partitions that can be named at once.
const MOST_NAMED: usize = 100_000;

impl std::str::FromStr for TopicChoice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        // No topic has a colon in its name.
        let Some((topic, list)) = text.split_once(':') else {
            return Ok(TopicChoice { topic: text.to_owned(), partitions: None });
        };
        let wrong = || format!("'{list}' names no partitions; write TOPIC:0,2 or TOPIC:0-5");
        let number =
            |text: &str| text.trim().parse::<i32>().ok().filter(|number| *number >= 0).ok_or_else(wrong);
        let mut partitions = Vec::new();
        for part in list.split(',') {
            let (from, to) = match part.split_once('-') {
                Some((from, to)) => (number(from)?, number(to)?),
                None => (number(part)?, number(part)?),
            };
            if from > to
                || usize::try_from(to - from).map_or(true, |more| more + partitions.len() >= MOST_NAMED)
            {
                return Err(wrong());
            }
            partitions.extend(from..=to);
        }
        partitions.sort_unstable();
        partitions.dedup();
        Ok(TopicChoice { topic: topic.to_owned(), partitions: Some(partitions) })
    }
}

/// `NAME=VALUE`, as options take it that set configs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pair(pub(crate) String, pub(crate) String);

impl std::str::FromStr for Pair {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once('=') {
            Some((name, value)) if !name.trim().is_empty() => {
                Ok(Pair(name.trim().to_owned(), value.trim().to_owned()))
            }
            _ => Err("write NAME=VALUE, as retention.ms=3600000".to_owned()),
        }
    }
}

/// The text of a file of bounded size that the command line names; `-` is standard input.
pub(crate) fn read_file(path: &std::path::Path) -> Result<String, Failure> {
    use std::io::Read;
    /// The largest file that is read as a whole, in bytes.
    const LARGEST: u64 = 64 * 1024 * 1024;
    let told = |error: std::io::Error| Usage::failure(format!("cannot read {}: {error}", path.display()));
    let mut text = String::new();
    let read = match path.to_str() {
        Some("-") => std::io::stdin().lock().take(LARGEST + 1).read_to_string(&mut text),
        _ => std::fs::File::open(path).map_err(told)?.take(LARGEST + 1).read_to_string(&mut text),
    };
    read.map_err(told)?;
    if text.len() as u64 > LARGEST {
        return Err(Usage::failure(format!("{} has more than {LARGEST} bytes; split it", path.display())));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn partitions_are_named_one_by_one_or_in_ranges() {
        let choice = |text: &str| text.parse::<TopicChoice>();
        assert_eq!(choice("orders"), Ok(TopicChoice { topic: "orders".to_owned(), partitions: None }));
        assert_eq!(choice("orders:5-7,0,6").unwrap().partitions, Some(vec![0, 5, 6, 7]));
        for wrong in ["orders:", "orders:x", "orders:3-1", "orders:-1", "orders:0-2147483647"] {
            assert!(choice(wrong).is_err_and(|why| why.contains("TOPIC:0,2")), "{wrong}");
        }
    }

    #[test]
    fn pairs_have_a_name() {
        assert_eq!("a.b = c=d".parse(), Ok(Pair("a.b".to_owned(), "c=d".to_owned())));
        assert!("a".parse::<Pair>().is_err() && "=b".parse::<Pair>().is_err());
    }
}
