//! The bytes of every row: whoever changes one must raise its version and read the old form.

use fogbank_core::bytes::Bytes;
use fogbank_core::store::{BlobRef, Value};
use fogbank_testkit::{check_row, expect};

use crate::annotations::rows::{Annotated, Annotation, ListedAnnotation};
use crate::checksums::{Algorithm, Checksum};
use crate::directory::{Directory, Renamed};
use crate::metadata_tables::RecordKind;
use crate::metadata_tables::rows::{
    Configured, CustomerTable, Described, Failure, Journal, Live, Record, Sealed, Status, Step,
    Stretch, TableState,
};
use crate::rules::ETag;
use crate::store::{
    Acl, AclGrant, AclGrantee, AclPermission, Begun, Bucket, Chain, DefaultEncryption,
    DefaultRetention, Destination, DestinationKind, Encryption, Headers, Inventory, KmsEncryption,
    Lifecycle, Listed, ListedVersion, Marker, More, Notifications, Object, Ownership, Part, Parts,
    Period, PublicAccess, ReportFile, Restored, Retention, RetentionMode, ShownVersion, Tags,
    Upload, Version, VersionName, Versioning,
};
use crate::tiering::{Archive, Tiered, Watched};

fn headers() -> Headers {
    Headers {
        content_type: Some("text/plain".into()),
        cache_control: None,
        content_disposition: Some("inline".into()),
        content_encoding: None,
        content_language: Some("de".into()),
        expires: None,
        website_redirect: Some("/".into()),
    }
}

/// A body that S3's own key sealed.
fn hello() -> Chain {
    Chain::of(BlobRef::inline(Bytes::from_static(b"hello")), Some([4; 24]))
}

/// A body of a time when S3 had no key.
fn plain() -> Chain {
    Chain::of(BlobRef::inline(Bytes::from_static(b"hello")), None)
}

fn pairs() -> Vec<(String, String)> {
    vec![("k".into(), "v".into())]
}

#[test]
fn inventories() {
    let file = ReportFile { key: "d/k".into(), size: 300, md5: [7; 16] };
    let begun = Begun {
        due_millis: 1_767_229_200_000,
        files: vec![file],
        after: Some(("a".into(), 9)),
        is_whole: false,
    };
    let row = Inventory { number: 300, since_millis: 1, has_reported: true, begun: Some(begun) };
    check_row(
        &row,
        expect!["01ac0202010180da8cf1ee660103642f6bac02070707070707070707070707070707070101610900"],
    );
}

#[test]
fn metadata_configurations() {
    let table = |status, encryption| TableState { status, encryption, arn: Some("t".into()) };
    let key = Some(Some("k".to_owned()));
    let row = Configured {
        number: 300,
        customer: Some(CustomerTable { table_bucket_arn: "b".into(), table: "n".into() }),
        expires_days: Some(300),
        journal: table(Status::Failed(Failure::JournalTableNotAvailable), key),
        inventory: Some(table(Status::Backfilling, Some(None))),
        annotation: Some(table(Status::Active, None)),
        role: Some("r".into()),
    };
    check_row(
        &row,
        expect!["01ac02010162016e01ac0203060101016b01017401010100010174010200010174010172"],
    );
    let journal = Journal {
        bucket: "photos".into(),
        bucket_id: 3,
        account: "0".into(),
        region: "r".into(),
        table_arn: Some("t".into()),
        is_ended: true,
        delivered: (300, 1),
        batch: Some((301, 2)),
        maintained_millis: 1,
    };
    check_row(&journal, expect!["010670686f746f73030130017201017401ac020101ad020202"]);
    let files = vec!["f".to_owned()];
    let step = Step {
        generation: 300,
        added: vec![("a".into(), files.clone())],
        backfill: Some("b".into()),
    };
    let live = Live {
        generation: 299,
        backfill: Some("a".into()),
        refreshed_millis: 1_767_225_600_000,
        step: Some(step),
    };
    check_row(&live, expect!["01ab0201016180a0d5edee6601ac02010161010166010162"]);
    check_row(&Stretch { files, is_changed: true }, expect!["0101016601"]);
    let sealed = Sealed::Kms { is_dual: true, key_arn: "k".into(), bucket_key: true };
    let described = Described {
        size: 300,
        modified_millis: 1,
        e_tag: Some(ETag { md5: [7; 16], parts: 2 }),
        storage_class: Some("GLACIER".into()),
        sealed,
        checksum: Some(Algorithm::Sha256),
        tags: pairs(),
        metadata: pairs(),
    };
    let record = Record {
        kind: RecordKind::DeleteAnnotation,
        key: "a".into(),
        millis: 1_767_225_600_000,
        version: 300,
        version_name: VersionName::Id,
        described: Some(Box::new(described)),
        requester: Some("0".into()),
        source_ip: Some("::1".into()),
        request_id: "id".into(),
        annotation: Some("n".into()),
    };
    check_row(
        &record,
        expect![[r#"
        0105016180a0d5edee66ac020201ac02020107070707070707070707070707070707020107474c41434945520201016b
        01010401016b017601016b017601013001033a3a3102696401016e"#]],
    );
}

#[test]
fn directories() {
    check_row(&Directory { is_local_zone: true }, expect!["0101"]);
    check_row(
        &Renamed { request: [7; 32] },
        expect!["010707070707070707070707070707070707070707070707070707070707070707"],
    );
}

#[test]
fn buckets() {
    let bucket = Bucket {
        id: 300,
        account: "000000000000".into(),
        region: "us-east-1".into(),
        created_millis: 1_767_225_600_000,
        location: "".into(),
        notifies: true,
        policy: 2,
        public_access: Some(PublicAccess { block_acls: false, ..PublicAccess::ALL }),
        encryption: DefaultEncryption::S3BucketKey,
        versioning: Versioning::Suspended,
        has_lock: true,
        retention: Some(DefaultRetention {
            is_compliance: true,
            period: Period { is_years: true, count: 300 },
        }),
        ownership: Some(Ownership::Preferred),
        acl: Some(Acl(vec![AclGrant {
            grantee: AclGrantee::Canonical("c".into()),
            permission: AclPermission::ReadAcp,
        }])),
        requester_pays: true,
        has_lifecycle: true,
        has_replication: false,
        has_logging: false,
        metadata: 300,
        mfa_delete: Some(true),
        event_hold: Some(DefaultRetention {
            is_compliance: true,
            period: Period { is_years: false, count: 1 },
        }),
    };
    let older =
        "01ac020c3030303030303030303030300975732d656173742d3180a0d5edee66000102010001010101";
    let older = Bucket::decode_slice(&hex::decode(older).expect("hex")).expect("the first version");
    let plain = Bucket {
        versioning: Versioning::Never,
        has_lock: false,
        retention: None,
        ownership: Some(Ownership::Enforced),
        acl: None,
        requester_pays: false,
        has_lifecycle: false,
        metadata: 0,
        mfa_delete: None,
        event_hold: None,
        ..bucket.clone()
    };
    assert_eq!(older, plain);
    let older = "02ac020c3030303030303030303030300975732d656173742d3180a0d5edee660001020100010101010201010101ac02010101010001630301010000";
    let older =
        Bucket::decode_slice(&hex::decode(older).expect("hex")).expect("the second version");
    let third = Bucket { mfa_delete: None, event_hold: None, ..bucket.clone() };
    assert_eq!(older, Bucket { metadata: 0, ..third.clone() });
    let older = "03ac020c3030303030303030303030300975732d656173742d3180a0d5edee660001020100010101010201010101ac02010101010001630301010000ac02";
    let older = Bucket::decode_slice(&hex::decode(older).expect("hex")).expect("the third version");
    assert_eq!(older, third);
    check_row(
        &bucket,
        expect![[r#"
            04ac020c3030303030303030303030300975732d656173742d3180a0d5edee660001020100010101010201010101ac02
            010101010001630301010000ac02010101010001"#]],
    );
    let kms = DefaultEncryption::Kms { is_dual: true, key_id: Some("k".into()), bucket_key: false };
    let kms = Bucket { encryption: kms, acl: None, retention: None, ..bucket.clone() };
    check_row(
        &kms,
        expect![[r#"
            04ac020c3030303030303030303030300975732d656173742d3180a0d5edee660001020100010101020101016b000201
            0001010001010000ac02010101010001"#]],
    );
    let unset = Bucket { encryption: DefaultEncryption::Unset, ..kms };
    check_row(
        &unset,
        expect![[r#"
            04ac020c3030303030303030303030300975732d656173742d3180a0d5edee6600010201000101010302010001010001
            010000ac02010101010001"#]],
    );
    check_row(&Tags(pairs()), expect!["0101016b0176"]);
    let lifecycle = Lifecycle { number: 300, varies_by_class: true, swept_millis: Some(1) };
    check_row(&lifecycle, expect!["01ac02010102"]);
    let destination = |kind, filter| Destination {
        kind,
        id: "i".into(),
        arn: "arn:q".into(),
        events: vec!["s3:ObjectCreated:*".into()],
        filter,
    };
    let notifications = Notifications {
        event_bridge: true,
        destinations: vec![
            destination(DestinationKind::Queue, None),
            destination(DestinationKind::Topic, Some(vec![("Prefix".into(), "p".into())])),
            destination(DestinationKind::Function, Some(Vec::new())),
        ],
    };
    check_row(
        &notifications,
        expect![[r#"
        0101030001690561726e3a71011273333a4f626a656374437265617465643a2a000101690561726e3a71011273333a4f
        626a656374437265617465643a2a01010650726566697801700201690561726e3a71011273333a4f626a656374437265
        617465643a2a0100"#]],
    );
}

#[test]
fn checksum_algorithms() {
    let all = [
        Algorithm::Crc32,
        Algorithm::Crc32c,
        Algorithm::Crc64Nvme,
        Algorithm::Sha1,
        Algorithm::Sha256,
        Algorithm::Sha512,
        Algorithm::Md5,
        Algorithm::XxHash64,
        Algorithm::XxHash3,
        Algorithm::XxHash128,
    ];
    assert_eq!(all.len(), Algorithm::ALL.len());
    for (index, algorithm) in (0u8..).zip(all) {
        let listed = Listed {
            size: 0,
            modified_millis: 0,
            e_tag: ETag { md5: [0; 16], parts: 0 },
            storage_class: None,
            checksum: Some(Checksum::full(algorithm, vec![9])),
            owner: None,
            restored: None,
        };
        let mut bytes = Vec::new();
        listed.encode(&mut bytes).expect("a row");
        assert!(bytes.ends_with(&[0, 1, index, 0, 1, 9, 0, 0]), "{algorithm:?}: {bytes:?}");
        let again = Listed::decode_slice(&bytes).expect("readable");
        assert_eq!(again.checksum, listed.checksum);
    }
}

#[test]
fn objects() {
    let listed = Listed {
        size: 5,
        modified_millis: 1_767_225_600_000,
        e_tag: ETag { md5: [7; 16], parts: 2 },
        storage_class: Some("GLACIER".into()),
        checksum: Some(Checksum {
            algorithm: Algorithm::Sha256,
            is_composite: true,
            value: vec![1, 2],
        }),
        owner: Some("111111111111".into()),
        restored: Some(Restored { from_millis: 1, until_millis: 2 }),
    };
    check_row(
        &listed,
        expect![[r#"
            030580a0d5edee6607070707070707070707070707070707020107474c4143494552010401020102010c313131313131
            313131313131010204"#]],
    );
    let object = Object {
        listed: listed.clone(),
        version: 9,
        version_name: VersionName::Id,
        parts: Some(Parts::new(3, [(1, 4), (2, 4), (5, 1)].into_iter())),
        headers: headers(),
        metadata: pairs(),
        tags: pairs(),
        more: Some(Box::new(more())),
        body: hello(),
    };
    check_row(
        &object,
        expect![[r#"
            030580a0d5edee6607070707070707070707070707070707020107474c4143494552010401020102010c313131313131
            3131313131310102040902010302010204050101010a746578742f706c61696e000106696e6c696e6500010264650001
            012f01016b017601016b0176010101010101010a01010001010101010101010101010101010101020202020202020202
            020202010750454e44494e470101040404040404040404040404040404040404040404040404000568656c6c6f"#]],
    );
    let mut bytes = Vec::new();
    object.encode(&mut bytes).expect("a row");
    assert_eq!(Listed::decode_slice(&bytes).expect("the first fields"), listed);
    let shown = ListedVersion { listed, version: 9, version_name: VersionName::Id };
    assert_eq!(ListedVersion::decode_slice(&bytes).expect("the first fields"), shown);
    let version = Version::Object(Box::new(object));
    check_row(
        &version,
        expect![[r#"
            02000580a0d5edee6607070707070707070707070707070707020107474c4143494552010401020102010c3131313131
            313131313131310102040902010302010204050101010a746578742f706c61696e000106696e6c696e65000102646500
            01012f01016b017601016b0176010101010101010a010100010101010101010101010101010101010202020202020202
            02020202010750454e44494e470101040404040404040404040404040404040404040404040404000568656c6c6f"#]],
    );
    let mut bytes = Vec::new();
    version.encode(&mut bytes).expect("a row");
    let first = ShownVersion::decode_slice(&bytes).expect("the first fields");
    assert_eq!(first, ShownVersion::Object(shown));
    let marker = Marker {
        version_name: VersionName::Null,
        modified_millis: 1,
        owner: Some("111111111111".into()),
    };
    check_row(&Version::Marker(marker.clone()), expect!["02010102010c313131313131313131313131"]);
    check_row(&ShownVersion::Marker(marker), expect!["02010102010c313131313131313131313131"]);
}

#[test]
fn objects_of_the_first_version() {
    let bytes = hex::decode(concat!(
        "010580a0d5edee6607070707070707070707070707070707020107474c41434945520104010201020901030201020405",
        "0101010a746578742f706c61696e000106696e6c696e6500010264650001012f01016b017601016b017601000568656c",
        "6c6f"
    ));
    let bytes = bytes.expect("hex");
    let object = Object::decode_slice(&bytes).expect("the first version");
    assert_eq!((object.version, object.version_name), (9, VersionName::Unversioned));
    assert_eq!((object.tags.clone(), object.metadata.clone()), (pairs(), pairs()));
    assert_eq!((object.headers.clone(), object.more.clone()), (headers(), None));
    assert_eq!(object.body, plain());
    assert_eq!(Listed::decode_slice(&bytes).expect("the first fields"), object.listed);
    let shown = ListedVersion::decode_slice(&bytes).expect("the first fields");
    assert_eq!((shown.listed, shown.version), (object.listed, 9));
}

#[test]
fn objects_of_the_second_version() {
    let bytes = hex::decode(concat!(
        "020580a0d5edee6607070707070707070707070707070707020107474c4143494552010401020102010c313131313131",
        "3131313131310102040902010302010204050101010a746578742f706c61696e000106696e6c696e6500010264650001",
        "012f01016b017601016b0176010101010101010a01010001010101010101010101010101010101020202020202020202",
        "020202010750454e44494e4701000568656c6c6f"
    ));
    let bytes = bytes.expect("hex");
    let object = Object::decode_slice(&bytes).expect("the second version");
    assert_eq!((object.version, object.version_name), (9, VersionName::Id));
    assert_eq!((object.body.clone(), object.more.as_deref()), (plain(), Some(&more())));
    assert_eq!(Listed::decode_slice(&bytes).expect("the first fields"), object.listed);
    let shown = ListedVersion::decode_slice(&bytes).expect("the first fields");
    assert_eq!((shown.listed, shown.version), (object.listed.clone(), 9));
    // The same as a version that is not current, which was the first version of that row.
    let version = [&[1, 0], &bytes[1..]].concat();
    let decoded = Version::decode_slice(&version).expect("the first version");
    assert_eq!(decoded, Version::Object(Box::new(object.clone())));
    let shown = ShownVersion::decode_slice(&version).expect("the first fields");
    let ShownVersion::Object(shown) = shown else { panic!("no object") };
    assert_eq!((shown.listed, shown.version_name), (object.listed, VersionName::Id));
    let marker = hex::decode("01010102010c313131313131313131313131").expect("hex");
    assert!(matches!(Version::decode_slice(&marker), Ok(Version::Marker(_))));
    assert!(matches!(ShownVersion::decode_slice(&marker), Ok(ShownVersion::Marker(_))));
}

fn more() -> More {
    More {
        acl: Some(Acl(vec![AclGrant {
            grantee: AclGrantee::Everybody,
            permission: AclPermission::Read,
        }])),
        retention: Some(Retention::fixed(true, 5)),
        legal_hold: true,
        encryption: Some(Encryption::Customer { key_md5: [1; 16], nonce: [2; 12] }),
        replication: Some("PENDING".into()),
    }
}

#[test]
fn held_versions() {
    let period = Period { is_years: true, count: 5 };
    let mode = RetentionMode::Held { is_compliance: true, is_on: true, period };
    let held = More {
        retention: Some(Retention { mode, until_millis: 5 }),
        legal_hold: true,
        ..More::default()
    };
    let upload = Upload { more: Some(Box::new(held)), ..upload() };
    check_row(
        &upload,
        expect!["0203020561726e3a7502696400000000000000000000000001000102010101050a010000"],
    );
}

fn upload() -> Upload {
    Upload {
        number: 3,
        initiated_millis: 1,
        initiator: ("arn:u".into(), "id".into()),
        storage_class: None,
        headers: Headers::default(),
        metadata: Vec::new(),
        tags: Vec::new(),
        checksum: None,
        owner: None,
        more: None,
    }
}

#[test]
fn uploads() {
    let upload = Upload {
        number: 3,
        initiated_millis: 1_767_225_600_000,
        initiator: ("arn:u".into(), "id".into()),
        storage_class: None,
        headers: headers(),
        metadata: pairs(),
        tags: pairs(),
        checksum: Some((Algorithm::Crc64Nvme, false)),
        owner: None,
        more: Some(Box::new(More::default())),
    };
    let kms = KmsEncryption {
        is_dual: true,
        key_arn: "arn:k".into(),
        bucket_key: false,
        context: pairs(),
        data_key: vec![9, 8],
        nonce: [2; 12],
    };
    let kms = More { encryption: Some(Encryption::Kms(Box::new(kms))), ..More::default() };
    check_row(
        &Upload { more: Some(Box::new(kms)), ..upload.clone() },
        expect![[r#"
        020380a0d5edee660561726e3a7502696400010a746578742f706c61696e000106696e6c696e6500010264650001012f
        01016b017601016b017601020000010000000101010561726e3a6b0001016b0176020908020202020202020202020202
        00"#]],
    );
    let older = hex::decode(concat!(
        "010380a0d5edee660561726e3a7502696400010a746578742f706c61696e000106696e6c696e6500010264650001012f",
        "01016b017601016b0176010200"
    ));
    let older = Upload::decode_slice(&older.expect("hex")).expect("the first version");
    assert_eq!(older, Upload { more: None, ..upload.clone() });
    check_row(
        &upload,
        expect![[r#"
            020380a0d5edee660561726e3a7502696400010a746578742f706c61696e000106696e6c696e6500010264650001012f
            01016b017601016b017601020000010000000000"#]],
    );
    let part = Part {
        size: 5,
        md5: [7; 16],
        modified_millis: 1_767_225_600_000,
        crc64nvme: u64::MAX,
        checksum: Checksum::full(Algorithm::Crc32, vec![1, 2, 3, 4]),
        nonce: Some([3; 12]),
        body: hello(),
    };
    let older = hex::decode(concat!(
        "01050707070707070707070707070707070780a0d5edee66ffffffffffffffffff010000040102030401000568656c6c",
        "6f"
    ));
    let older = Part::decode_slice(&older.expect("hex")).expect("the first version");
    assert_eq!(older, Part { nonce: None, body: plain(), ..part.clone() });
    let older = hex::decode(concat!(
        "02050707070707070707070707070707070780a0d5edee66ffffffffffffffffff010000040102030401030303030303",
        "03030303030301000568656c6c6f"
    ));
    let older = Part::decode_slice(&older.expect("hex")).expect("the second version");
    assert_eq!(older, Part { body: plain(), ..part.clone() });
    check_row(
        &part,
        expect![[r#"
            03050707070707070707070707070707070780a0d5edee66ffffffffffffffffff010000040102030401030303030303
            0303030303030101040404040404040404040404040404040404040404040404000568656c6c6f"#]],
    );
}

#[test]
fn annotations() {
    let listed = ListedAnnotation {
        size: 5,
        modified_millis: 1_767_225_600_000,
        e_tag: [7; 16],
        checksum: Checksum::full(Algorithm::Crc32, vec![1, 2, 3, 4]),
        replication: Some("REPLICA".into()),
    };
    check_row(&Annotated { number: 300, count: 2, changed: 301 }, expect!["01ac0202ad02"]);
    check_row(
        &listed,
        expect!["020580a0d5edee66070707070707070707070707070707070000040102030401075245504c494341"],
    );
    let body = hello();
    let encryption = Some(Encryption::Customer { key_md5: [1; 16], nonce: [2; 12] });
    let annotation = Annotation { listed: listed.clone(), encryption, body };
    let older = hex::decode(concat!(
        "010580a0d5edee66070707070707070707070707070707070000040102030401075245504c4943410100010101010101",
        "0101010101010101010102020202020202020202020201000568656c6c6f"
    ));
    let older = older.expect("hex");
    let decoded = Annotation::decode_slice(&older).expect("the first version");
    assert_eq!(decoded, Annotation { body: plain(), ..annotation.clone() });
    assert_eq!(ListedAnnotation::decode_slice(&older).expect("its head"), listed);
    check_row(
        &annotation,
        expect![[r#"
            020580a0d5edee66070707070707070707070707070707070000040102030401075245504c4943410100010101010101
            010101010101010101010202020202020202020202020101040404040404040404040404040404040404040404040404
            000568656c6c6f"#]],
    );
    let mut encoded = Vec::new();
    annotation.encode(&mut encoded).expect("a row");
    assert_eq!(ListedAnnotation::decode_slice(&encoded).expect("its head"), listed);
}

#[test]
fn tiers() {
    let row = Tiered {
        accessed_millis: 1_767_225_600_000,
        archive: Some(Archive::Deep),
        back_millis: Some(1),
    };
    check_row(&row, expect!["0180a0d5edee6601010102"]);
    check_row(&Watched { number: 300, swept_millis: Some(1) }, expect!["01ac020102"]);
}
