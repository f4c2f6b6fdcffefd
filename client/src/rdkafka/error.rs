//! librdkafka's errors, as this client's: which kind each is, and the sentence that goes with it.

use ::rdkafka::error::KafkaError;
use ::rdkafka::types::RDKafkaErrorCode;
use kafka_protocol::error::ResponseError;

use crate::error::{ClientError, ErrorKind};

/// The error of a code: what was asked, and librdkafka's own words where it has any beside the code's.
pub(super) fn of_code(code: RDKafkaErrorCode, asked: &str, reason: Option<&str>) -> ClientError {
    use RDKafkaErrorCode as Code;
    if let Ok(number @ 1..) = i16::try_from(code as i32)
        && let Some(kafkas) = ResponseError::try_from_code(number)
    {
        return of_kafkas_code(kafkas, asked, reason);
    }
    let error = |kind| ClientError::new(kind, asked, words(code, reason));
    match code {
        Code::AllBrokersDown | Code::BrokerTransportFailure | Code::Resolve | Code::BrokerDestroy => {
            error(ErrorKind::Unreachable).remedy("start a broker there, or correct bootstrap_servers")
        }
        Code::MessageTimedOut | Code::OperationTimedOut | Code::TimedOutQueue | Code::PollExceeded => {
            error(ErrorKind::TimedOut)
        }
        Code::WaitingForCoordinator | Code::WaitCache | Code::Retry | Code::InProgress => {
            error(ErrorKind::TimedOut)
        }
        Code::Authentication => {
            error(ErrorKind::Authentication).remedy("correct sasl_mechanism, user name or password")
        }
        Code::SSL => error(ErrorKind::Authentication)
            .remedy("correct ssl_cafile, the client's certificate, or security_protocol"),
        Code::QueueFull => error(ErrorKind::BufferFull),
        Code::UnknownTopic => of_kafkas_code(ResponseError::UnknownTopicOrPartition, asked, reason),
        Code::UnknownPartition | Code::InvalidArgument => error(ErrorKind::InvalidArgument),
        Code::State | Code::AssignmentLost => error(ErrorKind::InvalidArgument)
            .remedy("only partitions that are assigned can be asked for this"),
        Code::BadMessage | Code::BadCompression | Code::Underflow => error(ErrorKind::MalformedAnswer),
        Code::NotImplemented | Code::UnsupportedFeature => error(ErrorKind::Unsupported),
        Code::AutoOffsetReset | Code::NoOffset => {
            error(ErrorKind::OffsetOutOfRange).remedy("seek, or set auto_offset_reset")
        }
        Code::Fatal | Code::Fenced | Code::GaplessGuarantee => {
            error(ErrorKind::Fenced).remedy("start another publisher")
        }
        Code::PurgeQueue | Code::PurgeInflight | Code::DestroyBroker => error(ErrorKind::NotRunning),
        _ => error(ErrorKind::System),
    }
}

/// The error of one of Kafka's own codes.
fn of_kafkas_code(code: ResponseError, asked: &str, reason: Option<&str>) -> ClientError {
    use ResponseError as Code;
    let why = || match reason {
        Some(reason) => format!("{code:?}: {reason}"),
        None => format!("{code:?}"),
    };
    match code {
        Code::MessageTooLarge | Code::RecordListTooLarge => {
            ClientError::new(ErrorKind::TooLarge, asked, format!("a record is too large ({})", why()))
                .remedy("raise max_request_size, or the topic's max.message.bytes")
        }
        Code::SaslAuthenticationFailed | Code::UnsupportedSaslMechanism | Code::IllegalSaslState => {
            ClientError::new(ErrorKind::Authentication, asked, why())
                .remedy("correct sasl_mechanism, user name or password")
        }
        Code::ProducerFenced | Code::InvalidProducerEpoch | Code::OutOfOrderSequenceNumber => {
            ClientError::new(ErrorKind::Fenced, asked, why()).remedy("start another publisher")
        }
        Code::OffsetOutOfRange => ClientError::new(ErrorKind::OffsetOutOfRange, asked, why())
            .remedy("seek, or set auto_offset_reset"),
        _ => ClientError::from_code(code, asked, reason),
    }
}

/// librdkafka's text for a code, and what it adds.
fn words(code: RDKafkaErrorCode, reason: Option<&str>) -> String {
    let text = code.to_string();
    match reason {
        Some(reason) if !reason.is_empty() && !text.contains(reason) => format!("{reason} ({text})"),
        _ => text,
    }
}

/// Any error of librdkafka's.
pub(super) fn of(error: &KafkaError, asked: &str) -> ClientError {
    match error {
        KafkaError::ClientConfig(_, description, key, value) => {
            let why = format!("librdkafka does not take {key}={value}: {description}");
            ClientError::new(ErrorKind::Config, asked, why)
        }
        KafkaError::ClientCreation(why) => ClientError::new(ErrorKind::Config, asked, why.clone()),
        KafkaError::Nul(_) => ClientError::new(ErrorKind::InvalidArgument, asked, "a name contains a NUL"),
        KafkaError::Subscription(why) | KafkaError::Seek(why) | KafkaError::PauseResume(why) => {
            ClientError::new(ErrorKind::InvalidArgument, asked, why.clone())
        }
        other => match other.rdkafka_error_code() {
            Some(code) => of_code(code, asked, None),
            None => ClientError::new(ErrorKind::System, asked, other.to_string()),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kafkas_codes_are_kept() {
        let error = of_code(RDKafkaErrorCode::NotLeaderForPartition, "publishing to 'orders'", None);
        assert_eq!(error.code(), Some(ResponseError::NotLeaderOrFollower));
        assert!(error.is_retriable());
        let error = of_code(RDKafkaErrorCode::TopicAuthorizationFailed, "reading 'orders'", Some("no"));
        assert_eq!(error.code(), Some(ResponseError::TopicAuthorizationFailed));
        assert!(!error.is_retriable());
    }

    #[test]
    fn librdkafkas_own_codes_have_kinds_and_sentences() {
        use RDKafkaErrorCode as Code;
        for (code, kind) in [
            (Code::AllBrokersDown, ErrorKind::Unreachable),
            (Code::MessageTimedOut, ErrorKind::TimedOut),
            (Code::Authentication, ErrorKind::Authentication),
            (Code::SSL, ErrorKind::Authentication),
            (Code::QueueFull, ErrorKind::BufferFull),
            (Code::Fatal, ErrorKind::Fenced),
            (Code::AutoOffsetReset, ErrorKind::OffsetOutOfRange),
            (Code::MessageSizeTooLarge, ErrorKind::TooLarge),
            (Code::UnknownPartition, ErrorKind::InvalidArgument),
        ] {
            let error = of_code(code, "reading 'orders'", Some("what it says"));
            assert_eq!(error.kind(), kind, "{error}");
            let said = error.to_string();
            assert!(said.starts_with("reading 'orders' failed: ") && said.contains("what it says"), "{said}");
        }
    }
}
