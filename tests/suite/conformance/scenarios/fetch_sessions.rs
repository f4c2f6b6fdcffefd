//! Fetch sessions (KIP-227): full, incremental, forgotten, wrong.

use crate::conformance::batch::Batch;
use crate::conformance::request::{Topic, create, fetch, fetch_partition, forgotten, store};
use crate::conformance::session::{Session, versions};
use kafka_protocol::messages::FetchRequest;

/// Versions with sessions.
fn with_sessions() -> std::ops::RangeInclusive<i16> {
    7..=*versions::<FetchRequest>().end()
}

fn session(request: FetchRequest, id: i32, epoch: i32) -> FetchRequest {
    request.with_session_id(id).with_session_epoch(epoch)
}

pub(crate) fn life(s: &mut Session<'_>) {
    for v in with_sessions() {
        let a = create(s, &format!("session-a-{v}"), 2, &[]);
        let b = create(s, &format!("session-b-{v}"), 1, &[]);
        store(s, &a, 0, Batch::counted(2).bytes());
        let all = vec![fetch_partition(0, 0), fetch_partition(1, 0)];
        let full = session(fetch(v, &[(&a, all), (&b, vec![fetch_partition(0, 0)])]), 0, 0);
        let id = s.call("full", v, full).map_or(0, |r| r.session_id);
        s.call("nothing new but the same offsets", v, session(fetch(v, &[]), id, 1));
        let moved = fetch(v, &[(&a, vec![fetch_partition(0, 2)])]);
        s.call("moved on", v, session(moved, id, 2));
        s.call("nothing new", v, session(fetch(v, &[]), id, 3));
        store(s, &b, 0, Batch::counted(1).bytes());
        s.call("news of another topic", v, session(fetch(v, &[]), id, 4));
        let mut forget = session(fetch(v, &[]), id, 5);
        forget.forgotten_topics_data = vec![forgotten(v, &b, &[0])];
        s.call("forgotten", v, forget);
        store(s, &b, 0, Batch::counted(1).bytes());
        s.call("no news of what was forgotten", v, session(fetch(v, &[]), id, 6));
        let mut odd = session(fetch(v, &[]), id, 7);
        odd.forgotten_topics_data = vec![forgotten(v, &b, &[0, 5]), forgotten(v, &Topic::unknown(), &[0])];
        s.call("forgotten twice, and what was never there", v, odd);
        let again = fetch(v, &[(&b, vec![fetch_partition(0, 0)])]);
        s.call("added again", v, session(again, id, 8));
        s.call("the epoch before", v, session(fetch(v, &[]), id, 8));
        s.call("an epoch too far", v, session(fetch(v, &[]), id, 11));
        s.call("still there", v, session(fetch(v, &[]), id, 9));
        s.call("closed", v, session(fetch(v, &[]), id, -1));
        s.call("closed already", v, session(fetch(v, &[]), id, 10));
    }
}

pub(crate) fn wrong(s: &mut Session<'_>) {
    let t = create(s, "session-wrong", 1, &[]);
    store(s, &t, 0, Batch::counted(1).bytes());
    for v in with_sessions() {
        let one = || fetch(v, &[(&t, vec![fetch_partition(0, 0)])]);
        s.call("no session, epoch 1", v, session(one(), 0, 1));
        s.call("no session, epoch 5", v, session(fetch(v, &[]), 0, 5));
        s.call("an unknown session", v, session(one(), 123_456, 1));
        s.call("an unknown session, epoch 0", v, session(fetch(v, &[]), 123_456, -1));
        s.call("a negative session", v, session(one(), -7, 3));
        s.call("an unknown session is closed", v, session(one(), 123_457, -1));
        s.call("epoch -2", v, session(one(), 0, -2));
        s.call("an empty full fetch", v, session(fetch(v, &[]), 0, 0));
        let id = s.call("a session", v, session(one(), 0, 0)).map_or(0, |r| r.session_id);
        s.call("a full fetch that replaces it", v, session(one(), id, 0));
        s.call("it is gone", v, session(fetch(v, &[]), id, 1));
    }
}

pub(crate) fn errors_within(s: &mut Session<'_>) {
    let none = Topic::unknown();
    for v in with_sessions() {
        let t = create(s, &format!("session-errors-{v}"), 1, &[]);
        let full = fetch(
            v,
            &[(&none, vec![fetch_partition(0, 0)]), (&t, vec![fetch_partition(0, 0), fetch_partition(4, 0)])],
        );
        let id = s.call("a session of unknown ones", v, session(full, 0, 0)).map_or(0, |r| r.session_id);
        s.call("errors are repeated", v, session(fetch(v, &[]), id, 1));
        s.call("and again", v, session(fetch(v, &[]), id, 2));
        let beyond = fetch(v, &[(&t, vec![fetch_partition(0, 9)])]);
        s.call("out of range", v, session(beyond, id, 3));
        s.call("still out of range", v, session(fetch(v, &[]), id, 4));
        let back = fetch(v, &[(&t, vec![fetch_partition(0, 0)])]);
        s.call("back in range", v, session(back, id, 5));
        s.call("in range", v, session(fetch(v, &[]), id, 6));
        let mut forget = session(fetch(v, &[]), id, 7);
        forget.forgotten_topics_data = vec![forgotten(v, &none, &[0]), forgotten(v, &t, &[4])];
        s.call("the unknown ones are forgotten", v, forget);
        s.call("silence", v, session(fetch(v, &[]), id, 8));
    }
}

pub(crate) fn waiting_in_a_session(s: &mut Session<'_>) {
    for v in with_sessions() {
        let t = create(s, &format!("session-waits-{v}"), 2, &[]);
        let full = fetch(v, &[(&t, vec![fetch_partition(0, 0), fetch_partition(1, 0)])]);
        let id = s.on("waiting").call("full", v, session(full, 0, 0)).map_or(0, |r| r.session_id);
        let wait = session(fetch(v, &[]), id, 1).with_min_bytes(1).with_max_wait_ms(11_000);
        let pending = s.begin(v, wait);
        store(s, &t, 1, Batch::counted(1).bytes());
        s.finish("data arrives", pending);
        let wait = session(fetch(v, &[]), id, 2).with_min_bytes(1).with_max_wait_ms(20);
        s.call("what was not taken comes at once", v, wait);
        s.on("main");
    }
}
