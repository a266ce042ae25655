//! The bytes of every row: whoever changes one must raise its version and read the old form.

use fogbank_core::bytes::Bytes;
use fogbank_core::store::{BlobRef, Value};
use fogbank_testkit::{check_row, expect};

use crate::checksums::{Algorithm, Checksum};
use crate::rules::ETag;
use crate::store::{
    Bucket, Destination, DestinationKind, Headers, Listed, Notifications, Object, Part, Parts,
    PublicAccess, Tags, Upload,
};

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

fn pairs() -> Vec<(String, String)> {
    vec![("k".into(), "v".into())]
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
        bucket_key: true,
    };
    check_row(
        &bucket,
        expect![
            "01ac020c3030303030303030303030300975732d656173742d3180a0d5edee66000102010001010101"
        ],
    );
    check_row(&Tags(pairs()), expect!["0101016b0176"]);
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
    };
    check_row(
        &listed,
        expect!["010580a0d5edee6607070707070707070707070707070707020107474c4143494552010401020102"],
    );
    let object = Object {
        listed: listed.clone(),
        version: 9,
        parts: Some(Parts::new(3, [(1, 4), (2, 4), (5, 1)].into_iter())),
        headers: headers(),
        metadata: pairs(),
        tags: pairs(),
        body: vec![BlobRef::inline(Bytes::from_static(b"hello"))],
    };
    check_row(
        &object,
        expect![[r#"
        010580a0d5edee6607070707070707070707070707070707020107474c41434945520104010201020901030201020405
        0101010a746578742f706c61696e000106696e6c696e6500010264650001012f01016b017601016b017601000568656c
        6c6f"#]],
    );
    let mut bytes = Vec::new();
    object.encode(&mut bytes).expect("a row");
    assert_eq!(Listed::decode_slice(&bytes).expect("the first fields"), listed);
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
    };
    check_row(
        &upload,
        expect![[r#"
        010380a0d5edee660561726e3a7502696400010a746578742f706c61696e000106696e6c696e6500010264650001012f
        01016b017601016b0176010200"#]],
    );
    let part = Part {
        size: 5,
        md5: [7; 16],
        modified_millis: 1_767_225_600_000,
        crc64nvme: u64::MAX,
        checksum: Checksum::full(Algorithm::Crc32, vec![1, 2, 3, 4]),
        body: vec![BlobRef::inline(Bytes::from_static(b"hello"))],
    };
    check_row(
        &part,
        expect![[r#"
        01050707070707070707070707070707070780a0d5edee66ffffffffffffffffff010000040102030401000568656c6c
        6f"#]],
    );
}
