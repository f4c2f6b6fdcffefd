//! Goes through the bytes of a message by its schema, and reads them exactly as Apache Kafka's generated readers do.
//!
//! It knows nothing of requests or connections: a response is walked the same way. One linear pass, without any
//! allocation, decides; only bytes that Kafka reads and the decoder behind the guard does not are walked again, to
//! write what they mean in the form that the decoder reads.

use bytes::Bytes;

use super::GuardError;
use super::schema::{DECODED_STRING_BYTES, Element, Field, Kind, Message, decoded_bytes};
use super::utf8;

/// The longest string of a compact length, in bytes: Kafka's.
const MAX_STRING_BYTES: usize = 0x7fff;

/// What the first unknown tagged field of a structure costs when decoded: a node of a `BTreeMap<i32, Bytes>`.
const DECODED_FIRST_TAG_BYTES: usize = 448;

/// What each further one costs, in nodes that are half full.
const DECODED_TAG_BYTES: usize = 112;

/// What a decoded message may take.
#[derive(Debug, Clone, Copy)]
pub(super) struct Budget {
    /// In bytes, beside those of the message itself.
    pub(super) bytes: usize,
    /// What each element of an array is charged besides what it takes itself.
    pub(super) per_element: usize,
}

/// Checks `body` as a `message` of `version` that keeps to `budget` when it is decoded.
///
/// Returns a message that is safe to decode: the bytes that were checked, or, where the decoder is stricter than
/// Kafka, others of the same meaning. Bytes behind the message are left alone, as Kafka leaves them.
pub(super) fn check(
    message: &Message,
    version: i16,
    body: &Bytes,
    budget: Budget,
) -> Result<Bytes, GuardError> {
    if !message.versions.contains(&version) {
        return Err(GuardError::Version { api: message.name, version });
    }
    let flexible = message.is_flexible(version);
    let mut walk = Walk::new(body, version, flexible, budget, ());
    walk.charge(decoded_bytes(message.fields))?;
    walk.fields(message.fields)?;
    if !walk.rewrite {
        return Ok(body.clone());
    }
    let mut walk = Walk::new(body, version, flexible, budget, Vec::with_capacity(body.len()));
    walk.fields(message.fields)?;
    let mut rewritten = walk.out;
    rewritten.extend_from_slice(walk.rest);
    Ok(rewritten.into())
}

/// Steps over the tagged fields of a message that has no known ones, such as a request header. Returns what is behind
/// them.
pub(super) fn skip_tagged_fields(bytes: &[u8]) -> Result<&[u8], GuardError> {
    let mut walk = Walk::new(bytes, 0, true, Budget { bytes: usize::MAX, per_element: 0 }, ());
    walk.tagged_fields(&[])?;
    Ok(walk.rest)
}

/// Where what is read goes: nowhere, or into the rewritten message.
trait Output {
    /// Whether anything is written at all.
    const WRITES: bool;

    fn put(&mut self, bytes: &[u8]);
}

impl Output for () {
    const WRITES: bool = false;

    fn put(&mut self, _: &[u8]) {}
}

impl Output for Vec<u8> {
    const WRITES: bool = true;

    fn put(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }
}

/// How many bytes a length has where it is not a variable-length integer.
#[derive(Clone, Copy)]
enum Width {
    Two,
    Four,
}

struct Walk<'a, O> {
    rest: &'a [u8],
    version: i16,
    flexible: bool,
    /// What the decoded message, and what is charged besides, are estimated to take so far.
    decoded: usize,
    budget: Budget,
    /// Something was read that the decoder would not read, or not read so.
    rewrite: bool,
    out: O,
}

impl<'a, O: Output> Walk<'a, O> {
    fn new(rest: &'a [u8], version: i16, flexible: bool, budget: Budget, out: O) -> Self {
        Walk { rest, version, flexible, decoded: 0, budget, rewrite: false, out }
    }

    fn fields(&mut self, fields: &'static [Field]) -> Result<(), GuardError> {
        // Neighbours of a fixed size are read in one step: most of what there is in the requests that matter.
        let mut run = 0;
        for field in fields {
            if field.tag.is_some() || !field.exists(self.version) {
                continue;
            }
            match field.kind {
                Kind::Fixed(size) => run += size,
                _ => {
                    self.keep(std::mem::take(&mut run), field.name)?;
                    self.field(field)?;
                }
            }
        }
        if run > 0 {
            self.keep(run, fields.last().map_or("", |field| field.name))?;
        }
        if self.flexible { self.tagged_fields(fields) } else { Ok(()) }
    }

    fn field(&mut self, field: &Field) -> Result<(), GuardError> {
        match field.kind {
            Kind::Fixed(size) => self.keep(size, field.name),
            Kind::String => self.string(field.name, field.is_nullable(self.version)),
            Kind::Bytes => match self.length(field.name, field.is_nullable(self.version), Width::Four)? {
                None => Ok(()),
                Some(length) => {
                    self.put_length(Some(length), Width::Four);
                    self.keep(length, field.name)
                }
            },
            Kind::Struct(fields) => {
                if field.is_nullable(self.version) && !self.is_present(field.name)? {
                    return Ok(());
                }
                self.fields(fields)
            }
            Kind::Array(element) => self.array(field, element),
        }
    }

    fn array(&mut self, field: &Field, element: Element) -> Result<(), GuardError> {
        let name = field.name;
        let Some(count) = self.length(name, field.is_nullable(self.version), Width::Four)? else {
            return Ok(());
        };
        // An element has at least one byte. This bounds the loops below; they see to the rest.
        if count > self.rest.len() {
            return Err(GuardError::Count { field: name, count, remaining: self.rest.len() });
        }
        self.put_length(Some(count), Width::Four);
        self.charge(count.saturating_mul(self.budget.per_element))?;
        match element {
            Element::Fixed(size) => {
                let total = count.saturating_mul(size);
                self.charge(total)?;
                self.keep(total, name)
            }
            Element::String => {
                self.charge(count.saturating_mul(DECODED_STRING_BYTES))?;
                (0..count).try_for_each(|_| self.string(name, false))
            }
            Element::Struct(fields, decoded) => {
                self.charge(count.saturating_mul(decoded))?;
                (0..count).try_for_each(|_| self.fields(fields))
            }
        }
    }

    fn string(&mut self, name: &'static str, nullable: bool) -> Result<(), GuardError> {
        let Some(length) = self.length(name, nullable, Width::Two)? else { return Ok(()) };
        if length > MAX_STRING_BYTES {
            return Err(GuardError::StringLength { field: name, length });
        }
        let bytes = self.take(length, name)?;
        if std::str::from_utf8(bytes).is_ok() {
            self.put_length(Some(length), Width::Two);
            self.out.put(bytes);
            return Ok(());
        }
        self.rewrite = true;
        let length = utf8::lossy_len(bytes);
        if length > MAX_STRING_BYTES && !self.flexible {
            return Err(GuardError::StringLength { field: name, length });
        }
        self.charge(length)?;
        if O::WRITES {
            self.put_length(Some(length), Width::Two);
            self.out.put(utf8::lossy(bytes).as_bytes());
        }
        Ok(())
    }

    /// Reads the byte in front of a nullable structure. Kafka takes any that is not negative for "present".
    fn is_present(&mut self, name: &'static str) -> Result<bool, GuardError> {
        let &[byte] = self.take_array(name)?;
        let present = byte.cast_signed() >= 0;
        self.rewrite |= present && byte != 1;
        self.out.put(&[if present { 1 } else { 0xff }]);
        Ok(present)
    }

    fn tagged_fields(&mut self, known: &'static [Field]) -> Result<(), GuardError> {
        const NAME: &str = "tagged fields";
        if let [0, rest @ ..] = self.rest {
            self.rest = rest;
            self.out.put(&[0]);
            return Ok(());
        }
        // Kafka counts in signed numbers: a huge count is a negative one, and there are none.
        let count = self.varint(NAME)?;
        self.rewrite |= count < 0;
        self.put_varint(count.max(0).cast_unsigned());
        let mut cost = DECODED_FIRST_TAG_BYTES;
        for _ in 0..count.max(0) {
            let tag = self.varint(NAME)?.cast_unsigned();
            let size = self.varint(NAME)?;
            self.put_varint(tag);
            self.put_varint(size.cast_unsigned());
            match known.iter().find(|field| field.tag == Some(tag)) {
                // Its size is not looked at: Kafka does not either, nor does the decoder.
                Some(field) if field.exists(self.version) => self.field(field)?,
                Some(field) => return Err(GuardError::Tag { field: field.name, version: self.version }),
                None => {
                    self.charge(cost)?;
                    cost = DECODED_TAG_BYTES;
                    let size = usize::try_from(size).map_err(|_| GuardError::Truncated(NAME))?;
                    self.keep(size, NAME)?;
                }
            }
        }
        Ok(())
    }

    /// Reads a length. `None`: null, which has been written already. Any negative length is null to Kafka, and only
    /// -1 to the decoder.
    fn length(
        &mut self,
        name: &'static str,
        nullable: bool,
        width: Width,
    ) -> Result<Option<usize>, GuardError> {
        let length = match width {
            _ if self.flexible => self.varint(name)?.wrapping_sub(1),
            Width::Two => i16::from_be_bytes(*self.take_array(name)?).into(),
            Width::Four => i32::from_be_bytes(*self.take_array(name)?),
        };
        match usize::try_from(length) {
            Ok(length) => Ok(Some(length)),
            Err(_) if nullable => {
                self.rewrite |= length != -1;
                self.put_length(None, width);
                Ok(None)
            }
            Err(_) => Err(GuardError::Null(name)),
        }
    }

    /// Writes a length that the frame had room for, so that it fits into 32 bits.
    fn put_length(&mut self, length: Option<usize>, width: Width) {
        if !O::WRITES {
            return;
        }
        let length = length.and_then(|length| i32::try_from(length).ok()).unwrap_or(-1);
        match width {
            _ if self.flexible => self.put_varint(length.wrapping_add(1).cast_unsigned()),
            Width::Two => self.out.put(&i16::try_from(length).unwrap_or(-1).to_be_bytes()),
            Width::Four => self.out.put(&length.to_be_bytes()),
        }
    }

    /// Reads a variable-length integer of 32 bits: at most five bytes, and what does not fit is dropped.
    fn varint(&mut self, name: &'static str) -> Result<i32, GuardError> {
        let mut value = 0_u32;
        for (index, &byte) in self.rest.iter().take(5).enumerate() {
            value |= u32::from(byte & 0x7f) << (7 * index);
            if byte < 0x80 {
                self.rest = self.rest.get(index + 1..).unwrap_or_default();
                return Ok(value.cast_signed());
            }
        }
        Err(if self.rest.len() < 5 { GuardError::Truncated(name) } else { GuardError::Varint(name) })
    }

    fn put_varint(&mut self, mut value: u32) {
        if !O::WRITES {
            return;
        }
        while value >= 0x80 {
            self.out.put(&[value.to_le_bytes()[0] | 0x80]);
            value >>= 7;
        }
        self.out.put(&[value.to_le_bytes()[0]]);
    }

    /// Reads `size` bytes that mean the same to everybody.
    fn keep(&mut self, size: usize, name: &'static str) -> Result<(), GuardError> {
        let bytes = self.take(size, name)?;
        self.out.put(bytes);
        Ok(())
    }

    fn take(&mut self, size: usize, name: &'static str) -> Result<&'a [u8], GuardError> {
        let (taken, rest) = self.rest.split_at_checked(size).ok_or(GuardError::Truncated(name))?;
        self.rest = rest;
        Ok(taken)
    }

    fn take_array<const N: usize>(&mut self, name: &'static str) -> Result<&'a [u8; N], GuardError> {
        let (taken, rest) = self.rest.split_first_chunk().ok_or(GuardError::Truncated(name))?;
        self.rest = rest;
        Ok(taken)
    }

    fn charge(&mut self, bytes: usize) -> Result<(), GuardError> {
        self.decoded = self.decoded.saturating_add(bytes);
        if self.decoded > self.budget.bytes {
            return Err(GuardError::Memory { limit: self.budget.bytes });
        }
        Ok(())
    }
}
