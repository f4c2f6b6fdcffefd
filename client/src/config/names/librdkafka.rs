//! The options that librdkafka has and nobody else: known by name, and handed to it as they are.

use super::Role;

/// For producers and consumers.
const BOTH: &[&str] = &[
    "message.copy.max.bytes",
    "metadata.recovery.strategy",
    "metadata.recovery.rebootstrap.trigger.ms",
    "metadata.max.age.ms",
    "topic.metadata.refresh.fast.interval.ms",
    "topic.metadata.refresh.fast.cnt",
    "topic.metadata.refresh.sparse",
    "topic.metadata.propagation.max.ms",
    "topic.blacklist",
    "debug",
    "socket.blocking.max.ms",
    "socket.max.fails",
    "broker.address.ttl",
    "broker.address.family",
    "reconnect.backoff.jitter.ms",
    "statistics.interval.ms",
    "enabled_events",
    "log_level",
    "log.queue",
    "log.thread.name",
    "enable.random.seed",
    "internal.termination.signal",
    "builtin.features",
    "enable.metrics.push",
    "ssl.curves.list",
    "ssl.sigalgs.list",
    "ssl.key.pem",
    "ssl_key",
    "ssl.certificate.pem",
    "ssl_certificate",
    "https.ca.location",
    "https.ca.pem",
    "ssl.ca.pem",
    "ssl_ca",
    "ssl.ca.certificate.stores",
    "ssl.keystore.location",
    "ssl.keystore.password",
    "ssl.providers",
    "ssl.engine.location",
    "ssl.engine.id",
    "sasl.kerberos.principal",
    "sasl.kerberos.kinit.cmd",
    "sasl.kerberos.keytab",
    "sasl.kerberos.min.time.before.relogin",
    "sasl.oauthbearer.config",
    "enable.sasl.oauthbearer.unsecure.jwt",
    "sasl.oauthbearer.method",
    "sasl.oauthbearer.client.id",
    "sasl.oauthbearer.client.credentials.client.id",
    "sasl.oauthbearer.client.credentials.client.secret",
    "sasl.oauthbearer.client.secret",
    "sasl.oauthbearer.scope",
    "sasl.oauthbearer.extensions",
    "sasl.oauthbearer.token.endpoint.url",
    "sasl.oauthbearer.grant.type",
    "sasl.oauthbearer.assertion.algorithm",
    "sasl.oauthbearer.assertion.private.key.file",
    "sasl.oauthbearer.assertion.private.key.passphrase",
    "sasl.oauthbearer.assertion.private.key.pem",
    "sasl.oauthbearer.assertion.file",
    "sasl.oauthbearer.assertion.claim.aud",
    "sasl.oauthbearer.assertion.claim.exp.seconds",
    "sasl.oauthbearer.assertion.claim.iss",
    "sasl.oauthbearer.assertion.claim.jti.include",
    "sasl.oauthbearer.assertion.claim.nbf.seconds",
    "sasl.oauthbearer.assertion.claim.sub",
    "sasl.oauthbearer.assertion.jwt.template.file",
    "sasl.oauthbearer.metadata.authentication.type",
];

const PRODUCER: &[&str] = &[
    "client.rack",
    "enable.gapless.guarantee",
    "queue.buffering.backpressure.threshold",
    "sticky.partitioning.linger.ms",
    "queuing.strategy",
    "compression.level",
];

const CONSUMER: &[&str] = &[
    "message.max.bytes",
    "group.protocol.type",
    "group.remote.assignor",
    "coordinator.query.interval.ms",
    "fetch.queue.backoff.ms",
    "fetch.error.backoff.ms",
    "offset.store.method",
    "offset.store.path",
    "offset.store.sync.interval.ms",
    "consume.callback.max.messages",
];

fn own(role: Role) -> &'static [&'static str] {
    match role {
        Role::Both => &[],
        Role::Producer => PRODUCER,
        Role::Consumer => CONSUMER,
    }
}

/// Whether librdkafka has an option of this name, for this role, that nobody else has.
pub(super) fn knows(key: &str, role: Role) -> bool {
    BOTH.contains(&key) || own(role).contains(&key)
}

/// All of them.
pub(super) fn names(role: Role) -> impl Iterator<Item = &'static str> {
    BOTH.iter().chain(own(role)).copied()
}
