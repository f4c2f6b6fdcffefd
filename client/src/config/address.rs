//! Where things are: destinations and sources (`kafka://topic/NAME`), and brokers (`HOST:PORT`, `embedded://NAME`).

use std::path::PathBuf;

use serde_json::Value;

use super::value::kind;
use super::{config_error, nearest};
use crate::error::{ClientError, ErrorKind};
use crate::options::Bootstrap;

/// The longest name of a topic, in characters. Kafka's `Topic.MAX_NAME_LENGTH`.
const LONGEST_TOPIC: usize = 249;
/// The port of an address that names none.
const DEFAULT_PORT: u16 = 9092;
/// Most brokers that a config may name: the first connection needs one of them.
const MOST_SERVERS: usize = 1024;

/// The topic that `kafka://topic/NAME` names.
///
/// # Errors
/// [`ErrorKind::Config`] for another scheme or another kind of place, [`ErrorKind::InvalidArgument`] for a name that no
/// topic can have.
pub(crate) fn topic_of(key: &str, url: &str, asked: &str) -> Result<String, ClientError> {
    let wrong = |why: String| {
        config_error(asked, why)
            .remedy(format!("give {key} as \"kafka://topic/NAME\", for instance \"kafka://topic/orders\""))
    };
    let Some((scheme, rest)) = url.split_once("://") else {
        return Err(wrong(format!("{key} is \"{url}\", which is no URL")));
    };
    if scheme != "kafka" {
        return Err(wrong(format!("{key} is \"{url}\", and the scheme \"{scheme}\" is not known")));
    }
    let Some((place, name)) = rest.split_once('/') else {
        return Err(wrong(format!("{key} is \"{url}\", which names no topic")));
    };
    if place != "topic" {
        return Err(wrong(format!("{key} is \"{url}\", and Kafka has topics, no \"{place}\"")));
    }
    check_topic(name, asked)?;
    Ok(name.to_owned())
}

/// Refuses names that no topic can have. Kafka's `Topic.validate`.
pub(crate) fn check_topic(name: &str, asked: &str) -> Result<(), ClientError> {
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    let why = if name.is_empty() {
        "the topic's name is empty".to_owned()
    } else if name == "." || name == ".." {
        format!("the topic's name cannot be \"{name}\"")
    } else if name.len() > LONGEST_TOPIC {
        format!("the topic's name has {} characters, more than {LONGEST_TOPIC}", name.len())
    } else if let Some(illegal) = name.chars().find(|c| !legal(*c)) {
        format!("the topic's name \"{name}\" contains {illegal:?}")
    } else {
        return Ok(());
    };
    Err(ClientError::new(ErrorKind::InvalidArgument, asked, why)
        .remedy("use letters, digits, '.', '_' and '-', at most 249 of them"))
}

/// What `bootstrap_servers` names: a list or a comma-separated string.
pub(crate) fn bootstrap(value: &Value, asked: &str) -> Result<Bootstrap, ClientError> {
    let wrong = |why: String| {
        config_error(asked, why).remedy("give bootstrap_servers as \"HOST:PORT\", several with commas or as a list, or as \"embedded://NAME\"")
    };
    let texts: Vec<&str> = match value {
        Value::String(text) => text.split(',').collect(),
        Value::Array(list) => list
            .iter()
            .map(|one| {
                one.as_str().ok_or_else(|| wrong(format!("a server in bootstrap_servers is {}", kind(one))))
            })
            .collect::<Result<_, _>>()?,
        other => return Err(wrong(format!("bootstrap_servers is {}", kind(other)))),
    };
    let texts: Vec<&str> = texts.into_iter().map(str::trim).filter(|text| !text.is_empty()).collect();
    match texts.as_slice() {
        [] => Err(wrong("bootstrap_servers names no server".to_owned())),
        [one] if one.starts_with("embedded://") => embedded(one, asked),
        _ if texts.len() > MOST_SERVERS => {
            Err(wrong(format!("bootstrap_servers names {} servers, more than {MOST_SERVERS}", texts.len())))
        }
        all => {
            let servers = all.iter().map(|text| server(text).map_err(&wrong)).collect::<Result<_, _>>()?;
            Ok(Bootstrap::Servers(servers))
        }
    }
}

/// An address with its port.
fn server(text: &str) -> Result<String, String> {
    if text.starts_with("embedded://") {
        return Err(format!("\"{text}\" stands beside other servers, and an embedded broker stands alone"));
    }
    if text.contains("://") || text.contains('/') || text.contains(char::is_whitespace) {
        return Err(format!("\"{text}\" is no HOST:PORT"));
    }
    // An IPv6 address stands in brackets, so that its colons are not taken for the port's.
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (text, None),
    };
    if host.is_empty() || (host.contains(':') && !(host.starts_with('[') && host.ends_with(']'))) {
        return Err(format!("\"{text}\" is no HOST:PORT"));
    }
    match port.map(str::parse::<u16>) {
        None => Ok(format!("{host}:{DEFAULT_PORT}")),
        Some(Ok(port)) if port > 0 => Ok(format!("{host}:{port}")),
        Some(_) => Err(format!("the port of \"{text}\" is not between 1 and 65535")),
    }
}

/// `embedded://NAME`, optionally with `?data_dir=PATH`.
fn embedded(text: &str, asked: &str) -> Result<Bootstrap, ClientError> {
    let rest = text.trim_start_matches("embedded://");
    let (name, query) = rest.split_once('?').map_or((rest, None), |(name, query)| (name, Some(query)));
    if name.is_empty() || name.contains('/') {
        return Err(config_error(asked, format!("\"{text}\" names no embedded broker"))
            .remedy("give \"embedded://NAME\", for instance \"embedded://shop\""));
    }
    let mut data_dir = None;
    if let Some(query) = query {
        // A path may contain '&' and '='; data_dir is all that there is, so that the rest is the path.
        let Some(path) = query.strip_prefix("data_dir=") else {
            let key = query.split('=').next().unwrap_or_default();
            return Err(config_error(
                asked,
                format!(
                    "\"{text}\" has a parameter \"{key}\" that nobody knows{}",
                    nearest(key, ["data_dir"])
                ),
            )
            .remedy("give \"embedded://NAME?data_dir=PATH\""));
        };
        if path.is_empty() {
            return Err(config_error(asked, format!("\"{text}\" has an empty data_dir"))
                .remedy("name a folder, or leave data_dir out to keep the broker in memory"));
        }
        data_dir = Some(PathBuf::from(path));
    }
    Ok(Bootstrap::Embedded { name: name.to_owned(), data_dir })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn destinations_are_topics() {
        assert_eq!(topic_of("destination", "kafka://topic/orders", "x").unwrap(), "orders");
        for wrong in [
            "kafka://queue/x",
            "kafka://topic/",
            "kafka://topic",
            "rabbitmq://topic/x",
            "orders",
            "",
            "kafka://topic/a b",
            "kafka://topic/a/b",
            "kafka://topic/..",
        ] {
            let refused = topic_of("destination", wrong, "x").unwrap_err();
            assert!(
                matches!(refused.kind(), ErrorKind::Config | ErrorKind::InvalidArgument),
                "{wrong}: {refused}"
            );
        }
        let long = format!("kafka://topic/{}", "a".repeat(250));
        assert_eq!(topic_of("source", &long, "x").unwrap_err().kind(), ErrorKind::InvalidArgument);
    }

    #[test]
    fn servers_come_as_a_list_or_a_string() {
        let servers = |value: Value| bootstrap(&value, "x").unwrap();
        let two = Bootstrap::Servers(vec!["a:1".to_owned(), "b:9092".to_owned()]);
        assert_eq!(servers(json!("a:1, b")), two);
        assert_eq!(servers(json!(["a:1", "b:9092"])), two);
        assert_eq!(servers(json!("[::1]:93")), Bootstrap::Servers(vec!["[::1]:93".to_owned()]));
        assert_eq!(servers(json!("[::1]")), Bootstrap::Servers(vec!["[::1]:9092".to_owned()]));
        for wrong in [
            json!(""),
            json!([]),
            json!(3),
            json!([3]),
            json!("a:0"),
            json!("a:99999"),
            json!("http://a:1"),
            json!("::1"),
            json!(":1"),
            json!("a:1,embedded://x"),
        ] {
            assert_eq!(bootstrap(&wrong, "x").unwrap_err().kind(), ErrorKind::Config, "{wrong}");
        }
    }

    #[test]
    fn embedded_brokers_have_a_name_and_perhaps_a_folder() {
        let broker = |text: &str| bootstrap(&json!(text), "x");
        let named = |name: &str, dir: Option<&str>| Bootstrap::Embedded {
            name: name.to_owned(),
            data_dir: dir.map(PathBuf::from),
        };
        assert_eq!(broker("embedded://shop").unwrap(), named("shop", None));
        assert_eq!(broker("embedded://shop?data_dir=/var/a&b").unwrap(), named("shop", Some("/var/a&b")));
        assert_eq!(bootstrap(&json!(["embedded://shop"]), "x").unwrap(), named("shop", None));
        assert!(broker("embedded://shop?data_dri=/x").unwrap_err().to_string().contains("data_dir"));
        for wrong in ["embedded://", "embedded://?data_dir=x", "embedded://a?data_dir="] {
            assert!(broker(wrong).is_err(), "{wrong}");
        }
    }
}
