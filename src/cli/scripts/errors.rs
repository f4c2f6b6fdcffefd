//! What Java calls Kafka's errors, and says of them where a broker says nothing itself.

use std::fmt;

use klamm_client::{ClientError, ErrorKind};

/// Of each error its code, the exception's class and the message, as Apache Kafka 4.3.1 (Apache License 2.0) has them.
const TABLE: &str = include_str!("errors.tsv");

const PACKAGE: &str = "org.apache.kafka.common.errors";

/// An error as an exception of Java's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Thrown {
    /// The exception's class.
    class: String,
    /// Its message.
    pub(super) message: String,
}

impl Thrown {
    /// An exception of Kafka's clients: its class without the package.
    pub(super) fn of(class: &str, message: impl Into<String>) -> Self {
        Thrown { class: format!("{PACKAGE}.{class}"), message: message.into() }
    }

    /// Whether it is of this class of Kafka's.
    pub(super) fn is(&self, class: &str) -> bool {
        self.class.rsplit_once('.').is_some_and(|(package, name)| package == PACKAGE && name == class)
    }
}

/// As Java writes an exception: its class and its message.
impl fmt::Display for Thrown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.class, self.message)
    }
}

impl From<&ClientError> for Thrown {
    fn from(error: &ClientError) -> Self {
        if let Some(code) = error.code() {
            let (class, message) = known(code.code());
            let message = error.broker_message().unwrap_or(message);
            return Thrown { class: class.to_owned(), message: message.to_owned() };
        }
        let class = match error.kind() {
            ErrorKind::TimedOut | ErrorKind::Unreachable => "TimeoutException",
            ErrorKind::Authentication => "SaslAuthenticationException",
            ErrorKind::Unsupported => "UnsupportedVersionException",
            ErrorKind::Disconnected => "DisconnectException",
            ErrorKind::Config => "InvalidConfigurationException",
            _ => "UnknownServerException",
        };
        Thrown::of(class, error.to_string())
    }
}

impl From<ClientError> for Thrown {
    fn from(error: ClientError) -> Self {
        Thrown::from(&error)
    }
}

/// The class and the message of a code.
pub(super) fn known(code: i16) -> (&'static str, &'static str) {
    let rows = TABLE.lines().map(|line| line.split('\t'));
    let mut found =
        rows.filter_map(|mut row| Some((row.next()?.parse::<i16>().ok()?, row.next()?, row.next()?)));
    let unknown = "org.apache.kafka.common.errors.UnknownServerException";
    let row = found.find(|(known, ..)| *known == code);
    row.map_or(
        (unknown, "The broker answered with an error that is not known here."),
        |(_, class, message)| (class, message),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_has_javas_class_and_words() {
        let (class, message) = known(3);
        assert_eq!(class, "org.apache.kafka.common.errors.UnknownTopicOrPartitionException");
        assert_eq!(message, "This server does not host this topic-partition.");
        assert_eq!(known(12345).0, known(-1).0);
    }

    #[test]
    fn what_never_reached_a_broker_is_said_in_our_words() {
        let error = ClientError::new(ErrorKind::Unreachable, "listing topics", "nobody answers at x:1");
        let thrown = Thrown::from(&error);
        assert!(thrown.is("TimeoutException"));
        assert_eq!(thrown.message, "listing topics failed: nobody answers at x:1");
    }
}
