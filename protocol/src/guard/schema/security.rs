//! The requests of authentication, ACLs, delegation tokens, quotas and SCRAM credentials.
//!
//! Field by field as Apache Kafka documents them, in wire order, tagged fields last.

use super::{Message, NEVER, array, boolean, bytes, float64, int8, int32, int64, string};

pub(super) static SASL_HANDSHAKE: Message = Message::new("SaslHandshake", 0..=1, NEVER, &[
    string("mechanism"),
]);

pub(super) static DESCRIBE_ACLS: Message = Message::new("DescribeAcls", 1..=3, 2, &[
    int8("resource_type_filter"),
    string("resource_name_filter").nullable(),
    int8("pattern_type_filter"),
    string("principal_filter").nullable(),
    string("host_filter").nullable(),
    int8("operation"),
    int8("permission_type"),
]);

pub(super) static CREATE_ACLS: Message = Message::new("CreateAcls", 1..=3, 2, &[
    array("creations", &[
        int8("resource_type"),
        string("resource_name"),
        int8("resource_pattern_type"),
        string("principal"),
        string("host"),
        int8("operation"),
        int8("permission_type"),
    ]),
]);

pub(super) static DELETE_ACLS: Message = Message::new("DeleteAcls", 1..=3, 2, &[
    array("filters", &[
        int8("resource_type_filter"),
        string("resource_name_filter").nullable(),
        int8("pattern_type_filter"),
        string("principal_filter").nullable(),
        string("host_filter").nullable(),
        int8("operation"),
        int8("permission_type"),
    ]),
]);

pub(super) static SASL_AUTHENTICATE: Message = Message::new("SaslAuthenticate", 0..=2, 2, &[
    bytes("auth_bytes"),
]);

pub(super) static CREATE_DELEGATION_TOKEN: Message = Message::new("CreateDelegationToken", 1..=3, 2, &[
    string("owner_principal_type").from(3).nullable(),
    string("owner_principal_name").from(3).nullable(),
    array("renewers", &[
        string("principal_type"),
        string("principal_name"),
    ]),
    int64("max_lifetime_ms"),
]);

pub(super) static RENEW_DELEGATION_TOKEN: Message = Message::new("RenewDelegationToken", 1..=2, 2, &[
    bytes("hmac"),
    int64("renew_period_ms"),
]);

pub(super) static EXPIRE_DELEGATION_TOKEN: Message = Message::new("ExpireDelegationToken", 1..=2, 2, &[
    bytes("hmac"),
    int64("expiry_time_period_ms"),
]);

pub(super) static DESCRIBE_DELEGATION_TOKEN: Message = Message::new("DescribeDelegationToken", 1..=3, 2, &[
    array("owners", &[
        string("principal_type"),
        string("principal_name"),
    ]).nullable(),
]);

pub(super) static DESCRIBE_CLIENT_QUOTAS: Message = Message::new("DescribeClientQuotas", 0..=1, 1, &[
    array("components", &[
        string("entity_type"),
        int8("match_type"),
        string("match").nullable(),
    ]),
    boolean("strict"),
]);

pub(super) static ALTER_CLIENT_QUOTAS: Message = Message::new("AlterClientQuotas", 0..=1, 1, &[
    array("entries", &[
        array("entity", &[
            string("entity_type"),
            string("entity_name").nullable(),
        ]),
        array("ops", &[
            string("key"),
            float64("value"),
            boolean("remove"),
        ]),
    ]),
    boolean("validate_only"),
]);

pub(super) static DESCRIBE_USER_SCRAM_CREDENTIALS: Message = Message::new("DescribeUserScramCredentials", 0..=0, 0, &[
    array("users", &[
        string("name"),
    ]).nullable(),
]);

pub(super) static ALTER_USER_SCRAM_CREDENTIALS: Message = Message::new("AlterUserScramCredentials", 0..=0, 0, &[
    array("deletions", &[
        string("name"),
        int8("mechanism"),
    ]),
    array("upsertions", &[
        string("name"),
        int8("mechanism"),
        int32("iterations"),
        bytes("salt"),
        bytes("salted_password"),
    ]),
]);
