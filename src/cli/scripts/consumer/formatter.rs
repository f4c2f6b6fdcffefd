//! How records are printed: which of their parts, in which order, with what between them.

use std::io;

use klamm::{Admin, ConfigResource, Record};

use super::super::options::Parsed;
use super::super::{Ended, Output, client, complain};

pub(super) const DEFAULT: &str = "org.apache.kafka.tools.consumer.DefaultMessageFormatter";
const LOGGING: &str = "org.apache.kafka.tools.consumer.LoggingMessageFormatter";
const NONE: &str = "org.apache.kafka.tools.consumer.NoOpMessageFormatter";

/// Why a record was not printed.
pub(super) enum Failed {
    /// Its value, its key or a header is not what it should be.
    Value(String),
    Output(io::Error),
}

impl From<io::Error> for Failed {
    fn from(error: io::Error) -> Self {
        Failed::Output(error)
    }
}

/// What bytes stand for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Deserializer {
    Bytes,
    Number(usize, &'static str),
    Uuid,
}

impl Deserializer {
    /// By its class; what is not known leaves bytes as they are, as in the original.
    fn named(class: Option<&str>) -> Self {
        let Some(class) = class else { return Deserializer::Bytes };
        match class.strip_prefix("org.apache.kafka.common.serialization.") {
            Some("StringDeserializer") => Deserializer::Bytes,
            Some("LongDeserializer") => Deserializer::Number(8, "LongDeserializer"),
            Some("IntegerDeserializer") => Deserializer::Number(4, "IntegerDeserializer"),
            Some("ShortDeserializer") => Deserializer::Number(2, "ShortDeserializer"),
            Some("UUIDDeserializer") => Deserializer::Uuid,
            _ => {
                complain(format_args!(
                    "{class} is a class of the JVM's that this program does not have: bytes are printed as they are"
                ));
                Deserializer::Bytes
            }
        }
    }

    fn text(self, bytes: &[u8]) -> Result<Option<String>, Failed> {
        let wrong = |why: String| Failed::Value(why);
        match self {
            Deserializer::Bytes => Ok(None),
            Deserializer::Number(size, _) if bytes.len() == size => {
                let fill = if bytes.first().is_some_and(|first| *first >= 0x80) { 0xff } else { 0 };
                let mut whole = [fill; 8];
                whole[8 - size..].copy_from_slice(bytes);
                Ok(Some(i64::from_be_bytes(whole).to_string()))
            }
            Deserializer::Number(size, name) => {
                Err(wrong(format!("Size of data received by {name} is not {size}")))
            }
            Deserializer::Uuid => Ok(Some(String::from_utf8_lossy(bytes).to_lowercase())),
        }
    }
}

/// Prints records.
pub(super) struct Formatter {
    silent: bool,
    timestamp: bool,
    key: bool,
    offset: bool,
    epoch: bool,
    delivery: bool,
    partition: bool,
    headers: bool,
    value: bool,
    key_separator: String,
    line_separator: String,
    headers_separator: String,
    null: String,
    key_deserializer: Deserializer,
    value_deserializer: Deserializer,
    headers_deserializer: Deserializer,
    /// Asks which time a topic's records have, and what it said of each topic.
    times: Option<(Admin, Times)>,
}

/// Of each topic whether its records have the time at which they were appended.
type Times = Vec<(std::sync::Arc<str>, bool)>;

impl Formatter {
    pub(super) fn of(parsed: &Parsed, out: &mut Output) -> Result<Self, Ended> {
        let class = parsed.value("formatter")?.unwrap_or(DEFAULT);
        if ![DEFAULT, LOGGING, NONE].contains(&class) {
            return Err(Ended::Usage(format!(
                "{class} is a class of the JVM's that this program does not have: there are {DEFAULT}, {LOGGING} and {NONE}"
            )));
        }
        if parsed.has("property") && parsed.has("formatter-property") {
            return Err(Ended::Usage(
                "Options --property and --formatter-property cannot be specified together.".to_owned(),
            ));
        }
        if parsed.has("property") {
            out.line("Option --property is deprecated and will be removed in a future version. Use --formatter-property instead.")?;
        }
        let mut properties = match parsed.value("formatter-config")? {
            Some(path) => client::properties_of(path).map_err(Ended::Usage)?,
            None => Vec::new(),
        };
        for (option, name) in
            [("key-deserializer", "key.deserializer"), ("value-deserializer", "value.deserializer")]
        {
            let class = parsed.value(option)?.filter(|class| !class.is_empty());
            properties.extend(class.map(|class| (name.to_owned(), class.to_owned())));
        }
        for option in ["property", "formatter-property"] {
            properties.extend(client::pairs(&parsed.values(option)));
        }
        let mut formatter = Formatter::new(&properties, class == NONE);
        if formatter.timestamp {
            formatter.times = client::admin(parsed, "console-consumer").ok().map(|admin| (admin, Vec::new()));
        }
        Ok(formatter)
    }

    fn new(properties: &[(String, String)], silent: bool) -> Self {
        let text = |name: &str| client::last(properties, name);
        let flag =
            |name, default| text(name).map_or(default, |value| value.trim().eq_ignore_ascii_case("true"));
        let or = |name, default: &str| text(name).unwrap_or(default).to_owned();
        Formatter {
            silent,
            timestamp: flag("print.timestamp", false),
            key: flag("print.key", false),
            offset: flag("print.offset", false),
            epoch: flag("print.epoch", false),
            delivery: flag("print.delivery", false),
            partition: flag("print.partition", false),
            headers: flag("print.headers", false),
            value: flag("print.value", true),
            key_separator: or("key.separator", "\t"),
            line_separator: or("line.separator", "\n"),
            headers_separator: or("headers.separator", ","),
            null: or("null.literal", "null"),
            key_deserializer: Deserializer::named(text("key.deserializer")),
            value_deserializer: Deserializer::named(text("value.deserializer")),
            headers_deserializer: Deserializer::named(text("headers.deserializer")),
            times: None,
        }
    }

    /// Prints a record.
    pub(super) fn write(&mut self, record: &Record, out: &mut Output) -> Result<(), Failed> {
        if self.silent {
            return Ok(());
        }
        let shown = [
            self.timestamp,
            self.partition,
            self.offset,
            self.epoch,
            self.delivery,
            self.headers,
            self.key,
            self.value,
        ];
        let last = shown.iter().rposition(|shown| *shown).unwrap_or(0);
        for (at, shown) in shown.into_iter().enumerate() {
            if !shown {
                continue;
            }
            match at {
                0 => out.text(self.time(record))?,
                1 => out.text(format_args!("Partition:{}", record.partition))?,
                2 => out.text(format_args!("Offset:{}", record.offset))?,
                3 => out.text("Epoch:NOT_PRESENT")?,
                4 => out.text("Delivery:NOT_PRESENT")?,
                5 => self.write_headers(record, out)?,
                6 => self.write_part(self.key_deserializer, record.key.as_deref(), out)?,
                _ => self.write_part(self.value_deserializer, record.value.as_deref(), out)?,
            }
            out.text(if at == last { &self.line_separator } else { &self.key_separator })?;
        }
        Ok(())
    }

    fn write_part(
        &self,
        deserializer: Deserializer,
        part: Option<&[u8]>,
        out: &mut Output,
    ) -> Result<(), Failed> {
        let bytes = part.unwrap_or(self.null.as_bytes());
        match deserializer.text(bytes)? {
            Some(text) => out.text(text)?,
            None => out.bytes(bytes)?,
        }
        Ok(())
    }

    fn write_headers(&self, record: &Record, out: &mut Output) -> Result<(), Failed> {
        if record.headers.is_empty() {
            return Ok(out.text("NO_HEADERS")?);
        }
        for (at, (name, value)) in record.headers.iter().enumerate() {
            if at > 0 {
                out.text(&self.headers_separator)?;
            }
            out.text(format_args!("{name}:"))?;
            self.write_part(self.headers_deserializer, value.as_deref(), out)?;
        }
        Ok(())
    }

    /// A record's time, and whose it is; records do not say that themselves, their topic does.
    fn time(&mut self, record: &Record) -> String {
        if record.timestamp < 0 {
            return "NO_TIMESTAMP".to_owned();
        }
        let of_append = self.times.as_mut().is_some_and(|(admin, known)| {
            if let Some((_, of_append)) = known.iter().find(|(topic, _)| *topic == record.topic) {
                return *of_append;
            }
            let resource = ConfigResource::Topic(record.topic.to_string());
            let configs =
                admin.describe_configs([resource]).wait().and_then(klamm::Each::all).unwrap_or_default();
            let is_append = |value: &Option<String>| value.as_deref() == Some("LogAppendTime");
            let of_append = configs
                .iter()
                .flat_map(|(_, configs)| configs)
                .any(|config| config.name == "message.timestamp.type" && is_append(&config.value));
            known.push((record.topic.clone(), of_append));
            of_append
        });
        format!("{}:{}", if of_append { "LogAppendTime" } else { "CreateTime" }, record.timestamp)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_a_certain_size() {
        let long = Deserializer::named(Some("org.apache.kafka.common.serialization.LongDeserializer"));
        let text = |deserializer: Deserializer, bytes: &[u8]| deserializer.text(bytes).ok().flatten();
        assert_eq!(text(long, &[0, 0, 0, 0, 0, 0, 1, 0]).as_deref(), Some("256"));
        assert_eq!(text(long, b"abc"), None);
        let short = Deserializer::named(Some("org.apache.kafka.common.serialization.ShortDeserializer"));
        assert_eq!(text(short, &[0xff, 0xfe]).as_deref(), Some("-2"));
        assert_eq!(Deserializer::named(Some("no.such")), Deserializer::Bytes);
    }
}
