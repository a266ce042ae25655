//! The bytes of every row: whoever changes one must raise its version and read the old form.

use expect_test::{Expect, expect};
use fogbank_core::store::Value;
use fogbank_core::{Principal, Session};

use crate::rows::{
    AccessKey, AccessReport, Account, CredentialReport, DelegationRequest, Denial, EnabledDevice,
    Entity, Grants, Group, InlinePolicy, InstanceProfile, Kind, LastUse, LoginProfile,
    ManagedPolicy, MfaDevice, Observation, OidcProvider, OrganizationReport, OutboundFederation,
    PasswordHash, PasswordPolicy, PolicyVersion, Role, RoleDeletion, RootFeatures, SamlProvider,
    Secret, ServerCertificate, ServiceAccess, ServiceCredential, Sighting, SigningCertificate,
    SigningKey, SshPublicKey, TemporaryCredential, User,
};

pub(super) fn check<V: Value>(row: &V, expected: Expect) {
    let mut bytes = Vec::new();
    row.encode(&mut bytes).expect("a row");
    let lines: Vec<String> = hex::encode(&bytes)
        .as_bytes()
        .chunks(96)
        .map(|line| String::from_utf8_lossy(line).into_owned())
        .collect();
    expected.assert_eq(&lines.join("\n"));
    let mut again = Vec::new();
    let read = V::decode_slice(&bytes).expect("readable");
    read.encode(&mut again).expect("a row");
    assert_eq!(bytes, again);
}

fn grants() -> Grants {
    Grants {
        inline: vec![InlinePolicy { name: "i".into(), document: "{}".into() }],
        attached: vec!["arn:a".into()],
        boundary: Some("arn:b".into()),
    }
}

#[test]
fn users_groups_and_roles() {
    let user = User {
        name: "ann".into(),
        path: "/".into(),
        id: "AIDA1".into(),
        created_secs: 1_767_225_600,
        tags: vec![("k".into(), "v".into())],
        grants: grants(),
        groups: vec!["g".into()],
        access_keys: vec!["AKIA1".into()],
    };
    check(
        &user,
        expect![[r#"
        0103616e6e012f05414944413180e4ad950d01016b0176010169027b7d010561726e3a61010561726e3a620101670105
        414b494131"#]],
    );
    let group = Group {
        name: "g".into(),
        path: "/".into(),
        id: "AGPA1".into(),
        created_secs: 1,
        grants: Grants::default(),
    };
    check(&group, expect!["010167012f05414750413102000000"]);
    let role = Role {
        name: "r".into(),
        path: "/".into(),
        id: "AROA1".into(),
        created_secs: 1,
        description: Some("d".into()),
        trust: "{}".into(),
        trusted: vec![("arn:u".into(), "AIDA1".into())],
        max_session_secs: 3600,
        tags: Vec::new(),
        grants: grants(),
    };
    check(
        &role,
        expect![[r#"
        010172012f0541524f413102010164027b7d010561726e3a75054149444131901c00010169027b7d010561726e3a6101
        0561726e3a62"#]],
    );
    let entity = Entity { account: "000000000000".into(), kind: Kind::Role, folded: "r".into() };
    check(&entity, expect!["010c303030303030303030303030010172"]);
}

#[test]
fn policies() {
    let version = PolicyVersion { number: 2, document: "{}".into(), created_secs: 2 };
    let policy = ManagedPolicy {
        name: "p".into(),
        path: "/".into(),
        id: "ANPA1".into(),
        description: None,
        created_secs: 1,
        updated_secs: 2,
        default_version: 2,
        next_version: 3,
        versions: vec![version],
        tags: Vec::new(),
    };
    check(&policy, expect!["010170012f05414e50413100020402030102027b7d0400"]);
}

#[test]
fn keys_and_sessions() {
    let key = AccessKey {
        account: "000000000000".into(),
        user_id: Some("AIDA1".into()),
        secret: "s".into(),
        active: true,
        created_secs: 1,
    };
    check(&key, expect!["010c3030303030303030303030300105414944413101730102"]);
    let session = Session {
        policies: vec!["{}".into()],
        policy_arns: vec!["arn:a".into()],
        tags: vec![("k".into(), "v".into())],
        mfa: true,
        issued_secs: 1,
        source_identity: Some("ann".into()),
        keys: Vec::new(),
    };
    let principal =
        Principal { session: Some(Box::new(session)), ..Principal::root("000000000000") };
    let credential = TemporaryCredential {
        secret: "s".into(),
        token: "t".into(),
        principal,
        expires_secs: 2,
        transitive_tags: vec!["k".into()],
        keys: Vec::new(),
    };
    check(
        &credential,
        expect![[r#"
        0201730174000c3030303030303030303030301e61726e3a6177733a69616d3a3a3030303030303030303030303a726f
        6f740c303030303030303030303030000101027b7d010561726e3a6101016b017601020103616e6e0401016b00"#]],
    );
    let older = hex::decode(concat!(
        "0101730174000c3030303030303030303030301e61726e3a6177733a69616d3a3a3030303030",
        "303030303030303a726f6f740c303030303030303030303030000101027b7d010561726e3a61",
        "01016b017601020103616e6e0401016b",
    ));
    let older = TemporaryCredential::decode_slice(&older.expect("digits")).expect("readable");
    assert!(older == credential, "sessions of the first version are still read");
    let last = LastUse { secs: 1, service: "s3".into(), region: "us-east-1".into() };
    check(&last, expect!["01020273330975732d656173742d31"]);
    check(&Account { root_access_keys: vec!["AKIA1".into()] }, expect!["010105414b494131"]);
}

#[test]
fn decisions() {
    let denial = Denial {
        number: 7,
        request_id: "r".into(),
        account: "000000000000".into(),
        secs: 1,
        explanation: "{}".into(),
    };
    check(&denial, expect!["010701720c30303030303030303030303002027b7d"]);
    let sighting = Sighting { resource: "*".into(), first_secs: 1, last_secs: 2, is_excess: true };
    check(&Observation { resources: vec![sighting] }, expect!["0101012a020401"]);
}

#[test]
fn passwords() {
    let password = PasswordHash { salt: vec![1], memory_kib: 2, passes: 3, hash: vec![4] };
    let profile = LoginProfile {
        created_secs: 1,
        changed_secs: 2,
        reset_required: true,
        password: password.clone(),
        former: vec![password],
    };
    check(&profile, expect!["0102040101010203010401010102030104"]);
    let policy = PasswordPolicy {
        minimum_length: 8,
        require_symbols: true,
        require_numbers: false,
        require_uppercase: true,
        require_lowercase: false,
        allow_change: true,
        max_age_days: 90,
        reuse_prevention: 3,
        hard_expiry: Some(false),
    };
    check(&policy, expect!["010801000100015a030100"]);
}

#[test]
fn devices_and_keys_of_services() {
    let enabled =
        EnabledDevice { user_id: "AIDA1".into(), enabled_secs: 1, drift_steps: -1, last_step: 7 };
    let device = MfaDevice {
        name: "m".into(),
        path: "/".into(),
        seed: Secret::Sealed(vec![1, 2]),
        created_secs: 1,
        tags: vec![("k".into(), "v".into())],
        enabled: Some(enabled),
    };
    check(&device, expect!["02016d012f010201020201016b01760105414944413102010e"]);
    let certificate = SigningCertificate { body: "c".into(), active: true, uploaded_secs: 1 };
    check(&certificate, expect!["0101630102"]);
    let key = SshPublicKey {
        body: "ssh-rsa A".into(),
        fingerprint: "00".into(),
        active: false,
        uploaded_secs: 1,
    };
    check(&key, expect!["01097373682d72736120410230300002"]);
    let credential = ServiceCredential {
        service: "codecommit.amazonaws.com".into(),
        name: "ann-at-000000000000".into(),
        password_sha256: vec![1],
        active: true,
        created_secs: 1,
        expires_secs: Some(2),
    };
    check(
        &credential,
        expect![[r#"
        0118636f6465636f6d6d69742e616d617a6f6e6177732e636f6d13616e6e2d61742d3030303030303030303030300101
        01020104"#]],
    );
}

#[test]
fn resources() {
    let profile = InstanceProfile {
        name: "p".into(),
        path: "/".into(),
        id: "AIPA1".into(),
        created_secs: 1,
        role: Some("r".into()),
        tags: Vec::new(),
    };
    check(&profile, expect!["010170012f0541495041310201017200"]);
    let certificate = ServerCertificate {
        name: "c".into(),
        path: "/".into(),
        id: "ASCA1".into(),
        uploaded_secs: 1,
        expires_secs: 2,
        body: "b".into(),
        chain: None,
        private_key: Secret::Sealed(vec![7]),
        tags: Vec::new(),
    };
    check(&certificate, expect!["020163012f054153434131020401620001010700"]);
    let oidc = OidcProvider {
        url: "a.example/x".into(),
        is_tls: true,
        client_ids: vec!["c".into()],
        thumbprints: vec!["00".into()],
        created_secs: 1,
        tags: Vec::new(),
    };
    check(&oidc, expect!["010b612e6578616d706c652f7801010163010230300200"]);
    let saml = SamlProvider {
        name: "s".into(),
        uuid: "ASMP1".into(),
        metadata: "<x/>".into(),
        entity_id: "urn:s".into(),
        valid_until_secs: None,
        certificates: vec![vec![1]],
        created_secs: 1,
        tags: Vec::new(),
    };
    check(&saml, expect!["0101730541534d5031043c782f3e0575726e3a73000101010200"]);
}

#[test]
fn reports() {
    check(
        &CredentialReport { generated_secs: 1, content: "user".into() },
        expect!["01020475736572"],
    );
    check(&RoleDeletion { created_secs: 1 }, expect!["0102"]);
    let report = AccessReport {
        arn: "arn:u".into(),
        is_by_action: false,
        created_secs: 1,
        entities: vec!["AIDA1".into()],
        services: vec!["s3".into()],
    };
    check(&report, expect!["010561726e3a7500020105414944413101027333"]);
    let used = LastUse { secs: 1, service: "s3".into(), region: "r".into() };
    let access =
        ServiceAccess { service: "s3".into(), last: Some((used, "o".into())), accounts: 1 };
    let report = OrganizationReport {
        created_secs: 1,
        failure: Some(("c".into(), "m".into())),
        services: vec![access],
    };
    check(&report, expect!["0102010163016d0102733301020273330172016f01"]);
}

#[test]
fn outbound_federation() {
    check(&OutboundFederation { issuer_id: "i".into(), enabled: true }, expect!["01016901"]);
    let key = SigningKey {
        algorithm: "ES384".into(),
        private: Secret::Sealed(vec![7]),
        public: "{}".into(),
        created_secs: 1,
    };
    check(&key, expect!["01054553333834010107027b7d02"]);
    let request = DelegationRequest {
        requestor: "1".into(),
        owner_account: Some("2".into()),
        owner: Some("arn:o".into()),
        approver: Some(Principal::root("2")),
        description: "d".into(),
        message: None,
        workflow: "w".into(),
        template: "arn:t".into(),
        parameters: vec![("p".into(), vec!["v".into()], true)],
        policy: "{}".into(),
        redirect_url: None,
        channel: "arn:c".into(),
        session_secs: 300,
        only_by_owner: false,
        state: "ACCEPTED".into(),
        notes: None,
        rejection: None,
        created_secs: 1,
        updated_secs: 2,
        expires_secs: 3,
        finalized_secs: None,
    };
    check(
        &request,
        expect![[r#"
        010131010132010561726e3a6f010001321361726e3a6177733a69616d3a3a323a726f6f740132000001640001770561
        726e3a7401017001017601027b7d000561726e3a63ac0200084143434550544544000002040600"#]],
    );
    check(&RootFeatures { credentials: true, sessions: false }, expect!["010100"]);
}

/// Rows of a time when secrets lay in them as they are.
#[test]
fn older_rows_with_plain_secrets() {
    let bytes = hex::decode("01016d012f0201020201016b01760105414944413102010e").expect("hex");
    let device = MfaDevice::decode_slice(&bytes).expect("readable");
    assert!(device.seed == Secret::Plain(vec![1, 2]));
    assert_eq!(device.enabled.expect("a user").user_id, "AIDA1");
    let bytes = hex::decode("010163012f0541534341310204016200016b00").expect("hex");
    let certificate = ServerCertificate::decode_slice(&bytes).expect("readable");
    assert!(certificate.private_key == Secret::Plain(b"k".to_vec()));
    assert!(certificate.tags.is_empty() && certificate.body == "b");
}
