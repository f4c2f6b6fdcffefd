//! Random messages, made from the same tables that the guard walks by. That the tables are right, the decoder says.

use rand::Rng;
use rand::rngs::SmallRng;

use super::super::schema::{Element, Field, Kind, Message};

/// A message in two forms: as Kafka reads it but nobody should write it, and as it should be written.
#[derive(Default, Clone, Debug)]
pub(super) struct Twins {
    pub(super) odd: Vec<u8>,
    pub(super) plain: Vec<u8>,
}

pub(super) struct Generator<'a> {
    rng: &'a mut SmallRng,
    version: i16,
    flexible: bool,
    /// How many of a hundred lengths, strings and markers are odd.
    oddness: u32,
    out: Twins,
}

/// Malformed UTF-8, and what it is read as. They are of one length in bytes only by chance.
const MALFORMED: [(&[u8], &str); 4] = [
    (b"\xff", "\u{fffd}"),
    (b"a\xed\xa0\x80z", "a\u{fffd}z"),
    (b"\xe2\x82", "\u{fffd}"),
    (b"\xc3\x28\xf0\x9f", "\u{fffd}(\u{fffd}"),
];

/// A random message.
pub(super) fn message(message: &Message, version: i16, oddness: u32, rng: &mut SmallRng) -> Twins {
    let flexible = message.is_flexible(version);
    let mut generator = Generator { rng, version, flexible, oddness, out: Twins::default() };
    generator.fields(message.fields);
    generator.out
}

impl Generator<'_> {
    fn fields(&mut self, fields: &[Field]) {
        for field in fields {
            if field.tag.is_none() && field.exists(self.version) {
                self.field(field);
            }
        }
        if self.flexible {
            self.tagged_fields(fields);
        }
    }

    fn field(&mut self, field: &Field) {
        let null = field.is_nullable(self.version) && self.rng.random_ratio(1, 4);
        match field.kind {
            Kind::Fixed(size) => self.fixed(size),
            Kind::String if null => self.null(2),
            Kind::String => self.string(),
            Kind::Bytes | Kind::Array(_) if null => self.null(4),
            Kind::Bytes => {
                let length = self.rng.random_range(0..200);
                self.length(length, 4);
                self.fixed(length);
            }
            Kind::Struct(fields) => {
                if field.is_nullable(self.version) {
                    let odd = self.is_odd();
                    self.put(&[if null { 0xff } else { 1 }], &[if null { 0xff } else { 1 }]);
                    if let (true, Some(last)) = (odd, self.out.odd.last_mut()) {
                        *last = if null { 0x80 } else { 0 };
                    }
                }
                if !null || !field.is_nullable(self.version) {
                    self.fields(fields);
                }
            }
            Kind::Array(element) => {
                let count = self.rng.random_range(0..4);
                self.length(count, 4);
                for _ in 0..count {
                    match element {
                        Element::Fixed(size) => self.fixed(size),
                        Element::String => self.string(),
                        Element::Struct(fields, _) => self.fields(fields),
                    }
                }
            }
        }
    }

    fn tagged_fields(&mut self, fields: &[Field]) {
        let mut known: Vec<&Field> =
            fields.iter().filter(|f| f.tag.is_some() && f.exists(self.version)).collect();
        known.retain(|_| self.rng.random());
        if self.is_odd() {
            known.reverse();
        }
        let unknown = if self.rng.random_ratio(1, 4) { self.rng.random_range(1..3) } else { 0 };
        if known.is_empty() && unknown == 0 && self.is_odd() {
            self.put(&[0xff, 0xff, 0xff, 0xff, 0x0f], &[0]);
            return;
        }
        self.varint(u32::try_from(known.len()).unwrap() + unknown);
        for field in known {
            self.varint(field.tag.unwrap());
            let before = std::mem::take(&mut self.out);
            self.field(field);
            let value = std::mem::replace(&mut self.out, before);
            self.varint(u32::try_from(value.plain.len()).unwrap());
            self.put(&value.odd, &value.plain);
        }
        for tag in 0..unknown {
            self.varint(1000 + tag);
            let size = self.rng.random_range(0..20);
            self.varint(u32::try_from(size).unwrap());
            self.fixed(size);
        }
    }

    fn string(&mut self) {
        if self.is_odd() {
            let (odd, plain) = MALFORMED[self.rng.random_range(0..MALFORMED.len())];
            let before = std::mem::take(&mut self.out);
            self.length(odd.len(), 2);
            let odd_length = std::mem::take(&mut self.out).odd;
            self.length(plain.len(), 2);
            let plain_length = std::mem::replace(&mut self.out, before).plain;
            self.put(&odd_length, &plain_length);
            self.put(odd, plain.as_bytes());
        } else {
            let length = self.rng.random_range(0..12);
            let text: String = (0..length).map(|_| self.rng.random_range('!'..'\u{800}')).collect();
            self.length(text.len(), 2);
            self.put(text.as_bytes(), text.as_bytes());
        }
    }

    fn null(&mut self, width: usize) {
        let odd = self.is_odd();
        match (self.flexible, odd) {
            (true, false) => self.put(&[0], &[0]),
            (true, true) => self.put(&[0xfe, 0xff, 0xff, 0xff, 0x0f], &[0]),
            (false, false) => self.put(&[0xff; 4][..width], &[0xff; 4][..width]),
            (false, true) => self.put(&[0x80, 0, 0, 1][..width], &[0xff; 4][..width]),
        }
    }

    fn length(&mut self, length: usize, width: usize) {
        let length = u32::try_from(length).unwrap();
        if self.flexible {
            self.varint(length + 1);
        } else {
            let bytes = length.to_be_bytes();
            self.put(&bytes[4 - width..], &bytes[4 - width..]);
        }
    }

    fn varint(&mut self, mut value: u32) {
        let mut bytes = Vec::new();
        while value >= 0x80 {
            bytes.push(value.to_le_bytes()[0] | 0x80);
            value >>= 7;
        }
        bytes.push(value.to_le_bytes()[0]);
        let mut odd = bytes.clone();
        if self.is_odd() && odd.len() < 5 {
            // The same number with a byte more than it needs.
            *odd.last_mut().unwrap() |= 0x80;
            odd.push(0);
        }
        self.put(&odd, &bytes);
    }

    fn fixed(&mut self, size: usize) {
        let bytes: Vec<u8> = (0..size).map(|_| self.rng.random()).collect();
        self.put(&bytes, &bytes);
    }

    fn is_odd(&mut self) -> bool {
        self.rng.random_ratio(self.oddness, 100)
    }

    fn put(&mut self, odd: &[u8], plain: &[u8]) {
        self.out.odd.extend_from_slice(odd);
        self.out.plain.extend_from_slice(plain);
    }
}
