//! How values become payloads and payloads values: JSON, unless one says otherwise.
//!
//! Knows nothing of records or libraries.

use serde::de::{self, DeserializeOwned, Visitor};
use serde::ser::{self, Impossible, Serialize};

/// Why a value does not become a payload, or a payload no value.
pub type CodecError = Box<dyn std::error::Error + Send + Sync>;

/// Turns values into payloads and back. [`Json`] is the one that everybody begins with; another is set with
/// [`Publisher::with_codec`](crate::Publisher::with_codec) and [`Subscriber::with_codec`](crate::Subscriber::with_codec).
///
/// ```
/// use klamm_client::{Codec, CodecError};
/// use serde::{Serialize, de::DeserializeOwned};
///
/// /// JSON that people read.
/// struct Pretty;
///
/// impl Codec for Pretty {
///     fn encode<T: Serialize + ?Sized>(&self, value: &T, payload: &mut Vec<u8>) -> Result<(), CodecError> {
///         Ok(serde_json::to_writer_pretty(payload, value)?)
///     }
///     fn decode<T: DeserializeOwned>(&self, payload: &[u8]) -> Result<T, CodecError> {
///         Ok(serde_json::from_slice(payload)?)
///     }
/// }
/// # let config = serde_json::json!({ "destination": "kafka://topic/x", "bootstrap_servers": "embedded://codec" });
/// let publisher = klamm_client::create_publisher("pretty", config)?.with_codec(Pretty);
/// publisher.publish(&[1, 2])?;
/// # publisher.stop()?;
/// # Ok::<(), klamm_client::ClientError>(())
/// ```
pub trait Codec: Send + Sync + 'static {
    /// Appends the payload of a value. The buffer is empty.
    ///
    /// # Errors
    /// If the value cannot be represented; the publisher tells it as [`ErrorKind::Serialize`](crate::ErrorKind).
    fn encode<T: Serialize + ?Sized>(&self, value: &T, payload: &mut Vec<u8>) -> Result<(), CodecError>;

    /// The value of a payload. A record without a value (a tombstone) comes as the JSON text `null`.
    ///
    /// # Errors
    /// If the payload is of no such value; the subscriber tells it as [`ErrorKind::Decode`](crate::ErrorKind), with
    /// the record.
    fn decode<T: DeserializeOwned>(&self, payload: &[u8]) -> Result<T, CodecError>;
}

/// JSON; but a text on its own is sent as it is, without quotes, and so are bytes that say that they are bytes
/// (`bytes::Bytes`, `serde_bytes`). Reading a `String` gives the payload as it is, accordingly.
///
/// To serde a `Vec<u8>` is a list of numbers, and becomes one; send bytes with `publish_bytes`.
#[derive(Debug, Clone, Copy, Default)]
pub struct Json;

impl Codec for Json {
    fn encode<T: Serialize + ?Sized>(&self, value: &T, payload: &mut Vec<u8>) -> Result<(), CodecError> {
        match value.serialize(AsItIs(payload)) {
            Ok(()) => Ok(()),
            Err(NotAsItIs) => {
                payload.clear();
                Ok(serde_json::to_writer(payload, value)?)
            }
        }
    }

    fn decode<T: DeserializeOwned>(&self, payload: &[u8]) -> Result<T, CodecError> {
        Ok(T::deserialize(TextOrJson(payload))?)
    }
}

/// Takes texts and bytes, and declines everything else at the first call.
struct AsItIs<'a>(&'a mut Vec<u8>);

/// The value is neither a text nor bytes.
#[derive(Debug)]
struct NotAsItIs;

impl std::fmt::Display for NotAsItIs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("neither a text nor bytes")
    }
}

impl std::error::Error for NotAsItIs {}

impl ser::Error for NotAsItIs {
    fn custom<T: std::fmt::Display>(_: T) -> Self {
        NotAsItIs
    }
}

macro_rules! decline {
    ($($method:ident($($argument:ty),*) -> $output:ty;)*) => {
        $(fn $method(self, $(_: $argument),*) -> Result<$output, NotAsItIs> {
            Err(NotAsItIs)
        })*
    };
}

type No = Impossible<(), NotAsItIs>;

impl ser::Serializer for AsItIs<'_> {
    type Ok = ();
    type Error = NotAsItIs;
    type SerializeSeq = No;
    type SerializeTuple = No;
    type SerializeTupleStruct = No;
    type SerializeTupleVariant = No;
    type SerializeMap = No;
    type SerializeStruct = No;
    type SerializeStructVariant = No;

    fn serialize_str(self, text: &str) -> Result<(), NotAsItIs> {
        self.0.extend_from_slice(text.as_bytes());
        Ok(())
    }

    fn serialize_bytes(self, bytes: &[u8]) -> Result<(), NotAsItIs> {
        self.0.extend_from_slice(bytes);
        Ok(())
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        value: &T,
    ) -> Result<(), NotAsItIs> {
        value.serialize(self)
    }

    fn serialize_some<T: Serialize + ?Sized>(self, _: &T) -> Result<(), NotAsItIs> {
        Err(NotAsItIs)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: &T,
    ) -> Result<(), NotAsItIs> {
        Err(NotAsItIs)
    }

    decline! {
        serialize_bool(bool) -> ();
        serialize_i8(i8) -> ();
        serialize_i16(i16) -> ();
        serialize_i32(i32) -> ();
        serialize_i64(i64) -> ();
        serialize_u8(u8) -> ();
        serialize_u16(u16) -> ();
        serialize_u32(u32) -> ();
        serialize_u64(u64) -> ();
        serialize_f32(f32) -> ();
        serialize_f64(f64) -> ();
        serialize_char(char) -> ();
        serialize_none() -> ();
        serialize_unit() -> ();
        serialize_unit_struct(&'static str) -> ();
        serialize_unit_variant(&'static str, u32, &'static str) -> ();
        serialize_seq(Option<usize>) -> No;
        serialize_tuple(usize) -> No;
        serialize_tuple_struct(&'static str, usize) -> No;
        serialize_tuple_variant(&'static str, u32, &'static str, usize) -> No;
        serialize_map(Option<usize>) -> No;
        serialize_struct(&'static str, usize) -> No;
        serialize_struct_variant(&'static str, u32, &'static str, usize) -> No;
    }
}

/// A payload: a text or bytes to whoever wants those, JSON to everybody else.
struct TextOrJson<'de>(&'de [u8]);

impl<'de> TextOrJson<'de> {
    fn json<T>(
        self,
        read: impl FnOnce(&mut serde_json::Deserializer<serde_json::de::SliceRead<'de>>) -> serde_json::Result<T>,
    ) -> serde_json::Result<T> {
        let mut json = serde_json::Deserializer::from_slice(self.0);
        let value = read(&mut json)?;
        json.end()?;
        Ok(value)
    }

    fn text<V: Visitor<'de>>(self, visitor: V) -> serde_json::Result<V::Value> {
        match std::str::from_utf8(self.0) {
            Ok(text) => visitor.visit_borrowed_str(text),
            Err(error) => Err(de::Error::custom(format!("the payload is no UTF-8: {error}"))),
        }
    }
}

macro_rules! as_json {
    ($($method:ident($($name:ident: $argument:ty),*);)*) => {
        $(fn $method<V: Visitor<'de>>(self, $($name: $argument,)* visitor: V) -> serde_json::Result<V::Value> {
            self.json(|json| json.$method($($name,)* visitor))
        })*
    };
}

impl<'de> de::Deserializer<'de> for TextOrJson<'de> {
    type Error = serde_json::Error;

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> serde_json::Result<V::Value> {
        self.text(visitor)
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> serde_json::Result<V::Value> {
        self.text(visitor)
    }

    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> serde_json::Result<V::Value> {
        visitor.visit_borrowed_bytes(self.0)
    }

    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> serde_json::Result<V::Value> {
        visitor.visit_borrowed_bytes(self.0)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> serde_json::Result<V::Value> {
        visitor.visit_newtype_struct(self)
    }

    as_json! {
        deserialize_any();
        deserialize_bool();
        deserialize_i8();
        deserialize_i16();
        deserialize_i32();
        deserialize_i64();
        deserialize_i128();
        deserialize_u8();
        deserialize_u16();
        deserialize_u32();
        deserialize_u64();
        deserialize_u128();
        deserialize_f32();
        deserialize_f64();
        deserialize_char();
        deserialize_option();
        deserialize_unit();
        deserialize_unit_struct(name: &'static str);
        deserialize_seq();
        deserialize_tuple(length: usize);
        deserialize_tuple_struct(name: &'static str, length: usize);
        deserialize_map();
        deserialize_struct(name: &'static str, fields: &'static [&'static str]);
        deserialize_enum(name: &'static str, variants: &'static [&'static str]);
        deserialize_identifier();
        deserialize_ignored_any();
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde::{Deserialize, Serialize};
    use serde_json::{Value, json};

    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Order {
        id: u64,
        to: Option<String>,
    }

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Name(String);

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    enum Shape {
        Dot,
        Circle { radius: f64 },
    }

    fn encoded<T: Serialize + ?Sized>(value: &T) -> String {
        let mut payload = Vec::new();
        Json.encode(value, &mut payload).unwrap();
        String::from_utf8(payload).unwrap()
    }

    fn comes_back<T: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug>(value: &T) {
        let text = encoded(value);
        assert_eq!(&Json.decode::<T>(text.as_bytes()).unwrap(), value, "{text}");
    }

    #[test]
    fn values_are_json_and_texts_are_themselves() {
        assert_eq!(encoded(&Order { id: 7, to: None }), r#"{"id":7,"to":null}"#);
        assert_eq!(encoded("hello"), "hello");
        assert_eq!(encoded(&Name("Olga".to_owned())), "Olga");
        assert_eq!(encoded(&Some("hello")), "\"hello\"");
        assert_eq!(encoded(&vec!["a", "b"]), r#"["a","b"]"#);
        assert_eq!(encoded(&json!({ "a": 1 })), r#"{"a":1}"#);
        assert_eq!(encoded(&Shape::Dot), "\"Dot\"");
    }

    #[test]
    fn what_is_written_is_read() {
        comes_back(&Order { id: 7, to: Some("x".to_owned()) });
        comes_back(&"hello \"you\"".to_owned());
        comes_back(&Name("Olga".to_owned()));
        comes_back(&Some("hello".to_owned()));
        comes_back(&None::<String>);
        comes_back(&Shape::Dot);
        comes_back(&Shape::Circle { radius: 1.5 });
        comes_back(&vec![1u8, 2]);
        comes_back(&(1, -2.5, true, 'x'));
        comes_back(&u64::MAX);
        comes_back(&BTreeMap::from([(1, Name("a".to_owned()))]));
        comes_back(&json!([null, { "a": [1.5] }]));
    }

    #[test]
    fn what_is_more_or_less_than_json_is_refused() {
        assert!(Json.decode::<Value>(b"{\"a\":1} and more").is_err());
        assert!(Json.decode::<Value>(b"hello").is_err());
        assert!(Json.decode::<Order>(b"").is_err());
        assert!(Json.decode::<String>(&[0xff]).is_err());
        assert_eq!(Json.decode::<String>(b"").unwrap(), "");
    }

    #[test]
    fn what_does_not_serialise_is_refused() {
        let keys_are_lists = BTreeMap::from([(vec![1], 2)]);
        assert!(Json.encode(&keys_are_lists, &mut Vec::new()).is_err());
    }
}
