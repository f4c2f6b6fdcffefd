//! The shape of every message, as data: which fields a message has in which versions, and how each lies on the wire.
//!
//! The tables are written so that they can be held against Apache Kafka's own message definitions line by line.
//! They know nothing of what a field means. Requests are here, responses in `responses/`.

// One field a line, nested as on the wire: laid out by hand.
#[rustfmt::skip]
mod cluster;
#[rustfmt::skip]
mod data;
#[rustfmt::skip]
mod groups;
pub(crate) mod responses;
#[rustfmt::skip]
mod security;
#[rustfmt::skip]
mod share;
#[rustfmt::skip]
mod topics;
#[rustfmt::skip]
mod transactions;

use std::ops::RangeInclusive;

/// As the first flexible version: there is none.
const NEVER: i16 = i16::MAX;

/// A message: a request or a response.
#[derive(Debug)]
pub(crate) struct Message {
    /// Kafka's name of the API.
    pub(crate) name: &'static str,
    /// The versions that the table describes.
    pub(crate) versions: RangeInclusive<i16>,
    first_flexible: i16,
    pub(super) fields: &'static [Field],
}

impl Message {
    const fn new(
        name: &'static str,
        versions: RangeInclusive<i16>,
        first_flexible: i16,
        fields: &'static [Field],
    ) -> Self {
        Message { name, versions, first_flexible, fields }
    }

    /// Whether lengths are variable-length integers in `version`, and every structure ends with tagged fields.
    pub(crate) fn is_flexible(&self, version: i16) -> bool {
        version >= self.first_flexible
    }
}

/// A field of a message or of a structure in it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Field {
    pub(super) name: &'static str,
    from: i16,
    until: i16,
    nullable_from: i16,
    pub(super) tag: Option<u32>,
    pub(super) kind: Kind,
}

/// How a field lies on the wire.
#[derive(Debug, Clone, Copy)]
pub(super) enum Kind {
    /// A number, a boolean or a uuid: so many bytes, any value.
    Fixed(usize),
    /// A length and UTF-8.
    String,
    /// A length and bytes.
    Bytes,
    /// One structure, behind a byte that says whether it is there where the field is nullable.
    Struct(&'static [Field]),
    /// A count and elements.
    Array(Element),
}

/// What an array consists of.
#[derive(Debug, Clone, Copy)]
pub(super) enum Element {
    Fixed(usize),
    String,
    /// A structure, and how many bytes one takes when decoded, what its fields point to left out.
    Struct(&'static [Field], usize),
}

impl Field {
    const fn new(name: &'static str, kind: Kind) -> Self {
        Field { name, from: 0, until: i16::MAX, nullable_from: i16::MAX, tag: None, kind }
    }

    /// The field exists from `version` on.
    const fn from(mut self, version: i16) -> Self {
        self.from = version;
        self
    }

    /// The field exists up to and with `version`.
    const fn until(mut self, version: i16) -> Self {
        self.until = version;
        self
    }

    /// The field may be null.
    const fn nullable(self) -> Self {
        self.nullable_from(0)
    }

    /// The field may be null from `version` on.
    const fn nullable_from(mut self, version: i16) -> Self {
        self.nullable_from = version;
        self
    }

    /// The field is a tagged one: optional, at the end of its structure.
    const fn tag(mut self, tag: u32) -> Self {
        self.tag = Some(tag);
        self
    }

    pub(super) fn exists(&self, version: i16) -> bool {
        (self.from..=self.until).contains(&version)
    }

    pub(super) fn is_nullable(&self, version: i16) -> bool {
        version >= self.nullable_from
    }
}

/// Constructors of fields of a fixed size, and of arrays of them.
macro_rules! fixed {
    ($($one:ident $($many:ident)? = $size:literal;)*) => {
        $(
            const fn $one(name: &'static str) -> Field {
                Field::new(name, Kind::Fixed($size))
            }
            $(
                const fn $many(name: &'static str) -> Field {
                    Field::new(name, Kind::Array(Element::Fixed($size)))
                }
            )?
        )*
    };
}

fixed! {
    boolean = 1;
    int8 int8s = 1;
    int16 = 2;
    uint16 = 2;
    int32 int32s = 4;
    int64 int64s = 8;
    float64 = 8;
    uuid = 16;
}

const fn string(name: &'static str) -> Field {
    Field::new(name, Kind::String)
}

const fn strings(name: &'static str) -> Field {
    Field::new(name, Kind::Array(Element::String))
}

const fn bytes(name: &'static str) -> Field {
    Field::new(name, Kind::Bytes)
}

/// Record batches: bytes, which nothing here looks into.
const fn records(name: &'static str) -> Field {
    Field::new(name, Kind::Bytes)
}

const fn structure(name: &'static str, fields: &'static [Field]) -> Field {
    Field::new(name, Kind::Struct(fields))
}

const fn array(name: &'static str, fields: &'static [Field]) -> Field {
    Field::new(name, Kind::Array(Element::Struct(fields, decoded_bytes(fields))))
}

/// What a decoded string takes beside its characters, which stay where they are in the frame (a `Bytes`).
pub(super) const DECODED_STRING_BYTES: usize = 32;

/// What the head of a decoded array takes, and likewise that of the map of unknown tagged fields.
const DECODED_HEAD_BYTES: usize = 24;

/// An upper bound of what a decoded structure takes itself. All fields count, whatever the version: the decoded one
/// has them all.
pub(super) const fn decoded_bytes(fields: &[Field]) -> usize {
    const ALIGNMENT: usize = 8;
    let mut total = DECODED_HEAD_BYTES + ALIGNMENT;
    let mut rest = fields;
    while let [field, others @ ..] = rest {
        total += match field.kind {
            Kind::Fixed(size) => size,
            Kind::String | Kind::Bytes => DECODED_STRING_BYTES,
            Kind::Struct(fields) => decoded_bytes(fields) + ALIGNMENT,
            Kind::Array(_) => DECODED_HEAD_BYTES,
        };
        rest = others;
    }
    total
}

/// The request of an API that a client may call.
pub(crate) fn request(api_key: i16) -> Option<&'static Message> {
    Some(match api_key {
        0 => &data::PRODUCE,
        1 => &data::FETCH,
        2 => &data::LIST_OFFSETS,
        3 => &topics::METADATA,
        8 => &groups::OFFSET_COMMIT,
        9 => &groups::OFFSET_FETCH,
        10 => &groups::FIND_COORDINATOR,
        11 => &groups::JOIN_GROUP,
        12 => &groups::HEARTBEAT,
        13 => &groups::LEAVE_GROUP,
        14 => &groups::SYNC_GROUP,
        15 => &groups::DESCRIBE_GROUPS,
        16 => &groups::LIST_GROUPS,
        17 => &security::SASL_HANDSHAKE,
        18 => &cluster::API_VERSIONS,
        19 => &topics::CREATE_TOPICS,
        20 => &topics::DELETE_TOPICS,
        21 => &data::DELETE_RECORDS,
        22 => &transactions::INIT_PRODUCER_ID,
        23 => &data::OFFSET_FOR_LEADER_EPOCH,
        24 => &transactions::ADD_PARTITIONS_TO_TXN,
        25 => &transactions::ADD_OFFSETS_TO_TXN,
        26 => &transactions::END_TXN,
        27 => &transactions::WRITE_TXN_MARKERS,
        28 => &transactions::TXN_OFFSET_COMMIT,
        29 => &security::DESCRIBE_ACLS,
        30 => &security::CREATE_ACLS,
        31 => &security::DELETE_ACLS,
        32 => &topics::DESCRIBE_CONFIGS,
        33 => &topics::ALTER_CONFIGS,
        34 => &cluster::ALTER_REPLICA_LOG_DIRS,
        35 => &cluster::DESCRIBE_LOG_DIRS,
        36 => &security::SASL_AUTHENTICATE,
        37 => &topics::CREATE_PARTITIONS,
        38 => &security::CREATE_DELEGATION_TOKEN,
        39 => &security::RENEW_DELEGATION_TOKEN,
        40 => &security::EXPIRE_DELEGATION_TOKEN,
        41 => &security::DESCRIBE_DELEGATION_TOKEN,
        42 => &groups::DELETE_GROUPS,
        43 => &topics::ELECT_LEADERS,
        44 => &topics::INCREMENTAL_ALTER_CONFIGS,
        45 => &topics::ALTER_PARTITION_REASSIGNMENTS,
        46 => &topics::LIST_PARTITION_REASSIGNMENTS,
        47 => &groups::OFFSET_DELETE,
        48 => &security::DESCRIBE_CLIENT_QUOTAS,
        49 => &security::ALTER_CLIENT_QUOTAS,
        50 => &security::DESCRIBE_USER_SCRAM_CREDENTIALS,
        51 => &security::ALTER_USER_SCRAM_CREDENTIALS,
        55 => &cluster::DESCRIBE_QUORUM,
        57 => &cluster::UPDATE_FEATURES,
        60 => &cluster::DESCRIBE_CLUSTER,
        61 => &data::DESCRIBE_PRODUCERS,
        64 => &cluster::UNREGISTER_BROKER,
        65 => &transactions::DESCRIBE_TRANSACTIONS,
        66 => &transactions::LIST_TRANSACTIONS,
        68 => &groups::CONSUMER_GROUP_HEARTBEAT,
        69 => &groups::CONSUMER_GROUP_DESCRIBE,
        71 => &cluster::GET_TELEMETRY_SUBSCRIPTIONS,
        72 => &cluster::PUSH_TELEMETRY,
        74 => &topics::LIST_CONFIG_RESOURCES,
        75 => &topics::DESCRIBE_TOPIC_PARTITIONS,
        76 => &share::SHARE_GROUP_HEARTBEAT,
        77 => &share::SHARE_GROUP_DESCRIBE,
        78 => &share::SHARE_FETCH,
        79 => &share::SHARE_ACKNOWLEDGE,
        80 => &cluster::ADD_RAFT_VOTER,
        81 => &cluster::REMOVE_RAFT_VOTER,
        83 => &share::INITIALIZE_SHARE_GROUP_STATE,
        84 => &share::READ_SHARE_GROUP_STATE,
        85 => &share::WRITE_SHARE_GROUP_STATE,
        86 => &share::DELETE_SHARE_GROUP_STATE,
        87 => &share::READ_SHARE_GROUP_STATE_SUMMARY,
        90 => &share::DESCRIBE_SHARE_GROUP_OFFSETS,
        91 => &share::ALTER_SHARE_GROUP_OFFSETS,
        92 => &share::DELETE_SHARE_GROUP_OFFSETS,
        _ => return None,
    })
}
