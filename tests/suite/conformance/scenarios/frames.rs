//! Frames and bodies that are cut, too long, odd or garbage.

use crate::conformance::samples::{self, Sample};
use crate::conformance::session::Session;
use crate::conformance::wire;
use bytes::{BufMut, BytesMut};
use kafka_protocol::messages::{FetchRequest, HeartbeatRequest, MetadataRequest, ProduceRequest};

/// Sends a body as the sample's API and version.
fn send(s: &mut Session<'_>, sample: &Sample, what: &str, body: &[u8]) {
    s.without_internal_topics();
    (sample.send)(s, what.to_string(), sample.version, body);
}

pub(crate) fn cut(s: &mut Session<'_>) {
    for sample in samples::all() {
        let body = sample.body.clone();
        send(s, &sample, "nothing", &[]);
        send(s, &sample, "half", &body[..body.len() / 2]);
        send(s, &sample, "all but the last byte", &body[..body.len().saturating_sub(1)]);
    }
}

pub(crate) fn garbage(s: &mut Session<'_>) {
    for sample in samples::all() {
        send(s, &sample, "all ones", &[0xff; 40]);
        send(s, &sample, "huge numbers", &[0x7f; 40]);
    }
}

pub(crate) fn trailing(s: &mut Session<'_>) {
    for sample in samples::all() {
        let body = [&sample.body[..], b"trailing"].concat();
        send(s, &sample, "bytes behind", &body);
    }
}

/// A tagged field that nobody knows, at the end of a flexible request.
pub(crate) fn unknown_tags(s: &mut Session<'_>) {
    for sample in samples::all() {
        if !sample.flexible {
            continue;
        }
        let body = &sample.body[..];
        if body.last() != Some(&0) {
            continue;
        }
        let tagged = |tags: &[u8]| [&body[..body.len() - 1], tags].concat();
        send(s, &sample, "an unknown tag", &tagged(b"\x01\x63\x03abc"));
        send(s, &sample, "two unknown tags out of order", &tagged(b"\x02\x63\x01a\x62\x01b"));
        send(s, &sample, "an unknown tag twice", &tagged(b"\x02\x63\x01a\x63\x01b"));
        send(s, &sample, "a tag longer than the frame", &tagged(b"\x01\x63\x7fabc"));
        send(s, &sample, "a huge count of tags", &tagged(b"\xff\xff\xff\xff\x0f"));
    }
}

/// The header: client ids, tags, correlation ids.
pub(crate) fn headers(s: &mut Session<'_>) {
    // Heartbeat of an unknown group: a short answer.
    let body_of = |flexible: bool| -> Vec<u8> {
        let mut body = Vec::new();
        for text in ["unknown-group", "nobody"] {
            if flexible {
                body.put_u8(text.len() as u8 + 1);
            } else {
                body.put_i16(text.len() as i16);
            }
            body.put_slice(text.as_bytes());
            if text == "unknown-group" {
                body.put_i32(1);
            }
        }
        if flexible {
            body.put_slice(b"\0\0");
        }
        body
    };
    let header = |version: i16, correlation: i32, client: &[u8], rest: &[u8]| {
        let mut bytes = BytesMut::new();
        bytes.put_i16(12);
        bytes.put_i16(version);
        bytes.put_i32(correlation);
        bytes.put_slice(client);
        bytes.put_slice(rest);
        bytes
    };
    for (version, tags) in [(0, &b""[..]), (4, b"\0")] {
        let body = body_of(version == 4);
        for (what, client) in [
            ("null client id", &b"\xff\xff"[..]),
            ("empty client id", b"\0\0"),
            ("client id beyond ASCII", b"\0\x02\xc3\xa4"),
            ("client id that is not UTF-8", b"\0\x02\xff\xfe"),
            ("client id of length -2", b"\xff\xfe"),
            ("client id longer than the frame", b"\x7f\xffabc"),
        ] {
            s.raw(format!("v{version} | {what}"), &wire::frame(&header(version, 7, client, tags), &body));
        }
        for correlation in [0, -1, i32::MIN, i32::MAX] {
            let head = header(version, correlation, b"\0\x01a", tags);
            s.raw(format!("v{version} | correlation id {correlation}"), &wire::frame(&head, &body));
        }
    }
    let body = body_of(true);
    for (what, tags) in [
        ("a header tag", &b"\x01\x05\x03abc"[..]),
        ("header tags out of order", b"\x02\x05\x01a\x04\x01b"),
        ("a header tag twice", b"\x02\x05\x01a\x05\x01b"),
        ("no header tags", b""),
    ] {
        s.raw(format!("v4 | {what}"), &wire::frame(&header(4, 7, b"\0\x01a", tags), &body));
    }
}

pub(crate) fn lengths(s: &mut Session<'_>) {
    for (what, bytes) in [
        ("length 0", &b"\0\0\0\0"[..]),
        ("length -1", b"\xff\xff\xff\xff"),
        ("length -2147483648", b"\x80\0\0\0"),
        ("one byte", b"\0\0\0\x01\0"),
        ("a key alone", b"\0\0\0\x02\0\x12"),
        ("key and version", b"\0\0\0\x04\0\x12\0\0"),
        ("no client id", b"\0\0\0\x08\0\x12\0\0\0\0\0\x07"),
        ("more than 100 MiB", b"\x06\x40\0\x01\0\x12\0\0\0\0\0\x07"),
        ("2 GiB", b"\x7f\xff\xff\xff\0\x12\0\0\0\0\0\x07"),
        ("HTTP", b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"),
        ("TLS", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"),
    ] {
        s.raw_last(what, bytes, false);
    }
    s.raw_last("half a length, then the end", b"\0\0", true);
    s.raw_last("half a frame, then the end", b"\0\0\0\x10\0\x12\0\0", true);
}

/// Null, -2 and huge where arrays and texts are expected; texts that are not UTF-8.
pub(crate) fn values(s: &mut Session<'_>) {
    let arrays: [(&str, &[u8]); 8] = [
        ("array -2", b"\xff\xff\xff\xfe"),
        ("array of 2147483647", b"\x7f\xff\xff\xff"),
        ("array of 1, empty", b"\0\0\0\x01"),
        ("text -1", b"\0\0\0\x01\xff\xff"),
        ("text -2", b"\0\0\0\x01\xff\xfe"),
        ("text longer than the frame", b"\0\0\0\x01\0\x10abc"),
        ("text that is not UTF-8", b"\0\0\0\x01\0\x03\xff\xfe\xfd"),
        ("text with a zero byte", b"\0\0\0\x01\0\x03a\0b"),
    ];
    for (what, body) in arrays {
        s.without_internal_topics().body::<MetadataRequest>(what.to_string(), 1, body);
        let body = [body, b"\0"].concat();
        s.without_internal_topics().body::<MetadataRequest>(what.to_string(), 4, &body);
    }
    let compact: [(&str, &[u8]); 9] = [
        ("null", b"\0"),
        ("an array of 1, empty", b"\x02"),
        ("an array of 2147483646", b"\xff\xff\xff\xff\x07"),
        ("an array of 4294967294", b"\xff\xff\xff\xff\x0f"),
        ("a length that never ends", b"\xff\xff\xff\xff\xff\xff\xff\xff"),
        ("a null text", b"\x02\0\0"),
        ("a long text", b"\x02\x7fabc"),
        ("a text that is not UTF-8", b"\x02\x04\xff\xfe\xfd\0"),
        ("a text with a zero byte", b"\x02\x04a\0b\0"),
    ];
    for (what, body) in compact {
        let body = [body, b"\0\0\0\0"].concat();
        s.without_internal_topics().body::<MetadataRequest>(format!("compact: {what}"), 9, &body);
    }
    for (what, group) in [
        ("null", &b"\xff\xff"[..]),
        ("-2", b"\xff\xfe"),
        ("-32768", b"\x80\0"),
        ("not UTF-8", b"\0\x02\xff\xfe"),
        ("too long", b"\x7f\xffabc"),
    ] {
        let body = [group, b"\0\0\0\x01\0\x01m"].concat();
        s.body::<HeartbeatRequest>(format!("group id {what}"), 0, &body);
    }
    for (what, flag) in [("2", 2u8), ("255", 255)] {
        s.body::<MetadataRequest>(format!("a truth value of {what}"), 4, &[0, 0, 0, 0, flag]);
    }
    for (what, count) in [("null", -1i32), ("-2", -2), ("huge", i32::MAX), ("as many as bytes", 12)] {
        let mut body = BytesMut::new();
        body.put_slice(b"\xff\xff\xff\xff\0\0\x03\xe8");
        body.put_i32(count);
        body.put_slice(b"\0\x01t\0\0\0\0\0\0\0\0\0");
        s.body::<ProduceRequest>(format!("topics {what}"), 3, &body);
        let mut body = BytesMut::new();
        body.put_slice(b"\xff\xff\xff\xff\0\0\0\0\0\0\0\0\0\0\x10\0\0");
        body.put_i32(count);
        body.put_slice(b"\0\x01t\0\0\0\0");
        s.body::<FetchRequest>(format!("topics {what}"), 4, &body);
    }
    for (what, length) in [("-2", -2i32), ("huge", i32::MAX), ("too long by one", 4)] {
        let mut body = BytesMut::new();
        body.put_slice(b"\xff\xff\xff\xff\0\0\x03\xe8\0\0\0\x01\0\x01t\0\0\0\x01\0\0\0\0");
        body.put_i32(length);
        body.put_slice(b"abc");
        s.body::<ProduceRequest>(format!("records of length {what}"), 3, &body);
    }
}
