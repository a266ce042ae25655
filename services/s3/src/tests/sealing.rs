//! What S3's own key seals: everything that no other key does, in whichever way it came.

use std::path::Path;

use fogbank_core::bytes::Bytes;
use fogbank_core::store::{BlobRef, Db, Options, Raw, Table, Value as _};
use fogbank_core::{Clock, Ids, Principal, RootKey, Timestamp};
use fogbank_testkit::{ACCOUNT, World, json};

use super::{SERVICES, body_of, call, e_tag, get, put, send, with, with_bucket};
use crate::store::{Chain, OBJECTS, Object};

const DIRECTORY: &str = "logs--use1-az4--x-s3";
const TEXT: &str = "correct horse battery staple, ";

/// Objects as they lie, whatever they are.
static RAW: Table<(String, String), Raw> = Table::new("s3.objects", 0x0210);

/// At least so many bytes of a text that everybody finds again.
fn text(len: usize) -> Vec<u8> {
    TEXT.repeat(len / TEXT.len() + 1).into_bytes()
}

fn world_in(folder: &Path, seed: u64) -> World {
    let db = Db::open(&Options::new(folder)).expect("a database");
    let clock = Clock::frozen(Timestamp::from_secs(1_767_225_600));
    let world = World::with(SERVICES, db, clock, Ids::seeded(seed));
    assert!(world.cloud().use_root_key(RootKey::new(&[7; 32])).expect("rows"));
    world
}

/// Whether a file below a folder has these bytes.
fn lies(folder: &Path, bytes: &[u8]) -> bool {
    std::fs::read_dir(folder).expect("a folder").any(|entry| {
        let path = entry.expect("an entry").path();
        match path.is_dir() {
            true => lies(&path, bytes),
            false => {
                let found = std::fs::read(&path).expect("a file");
                found.windows(bytes.len()).any(|window| window == bytes)
            }
        }
    })
}

/// Writes an object in parts, and returns what it holds.
async fn upload(world: &World, key: &str) -> Vec<u8> {
    let begun = call(world, "CreateMultipartUpload", json!({"Key": key})).await.expect("begun");
    let of = json!({"Key": key, "UploadId": begun["UploadId"]});
    let (first, last) = (text(5 << 20), text(100));
    let mut parts = Vec::new();
    for (number, bytes) in [(1, first.clone()), (3, last.clone())] {
        let input = with(of.clone(), json!({"PartNumber": number}));
        let told = send(world, "UploadPart", input, bytes).await.expect("a part");
        parts.push(json!({"PartNumber": number, "ETag": told["ETag"]}));
    }
    let copy =
        json!({"PartNumber": 2, "CopySource": "photos/blob", "CopySourceRange": "bytes=7-5300000"});
    let told = call(world, "UploadPartCopy", with(of.clone(), copy)).await.expect("a part");
    parts.insert(1, json!({"PartNumber": 2, "ETag": told["CopyPartResult"]["ETag"]}));
    let done = with(of, json!({"MultipartUpload": {"Parts": parts}}));
    call(world, "CompleteMultipartUpload", done).await.expect("completed");
    [&first, &text(6 << 20)[7..5_300_001], &last].concat()
}

async fn append(world: &World, key: &str, offset: usize, bytes: Vec<u8>) {
    let input = json!({"Bucket": DIRECTORY, "Key": key, "WriteOffsetBytes": offset});
    let root = Principal::root(ACCOUNT);
    world.send(root, "s3:PutObject", input, bytes.into()).await.expect("appended");
}

async fn directory(world: &World) {
    let location = json!({"Type": "AvailabilityZone", "Name": "use1-az4"});
    let configuration = json!({"Location": location, "Bucket": {"Type": "Directory"}});
    let input = json!({"Bucket": DIRECTORY, "CreateBucketConfiguration": configuration});
    world.call("s3:CreateBucket", input).await.expect("a bucket");
}

async fn read(world: &World, bucket: &str, key: &str, range: Option<&str>) -> Bytes {
    let mut input = json!({"Bucket": bucket, "Key": key});
    if let Some(range) = range {
        input["Range"] = json!(range);
    }
    let root = Principal::root(ACCOUNT);
    let reply = world.send(root, "s3:GetObject", input, Vec::new().into()).await.expect("found");
    reply.bytes(64 << 20).await.expect("a body")
}

#[tokio::test]
async fn no_plain_text_lies_in_any_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let world = world_in(folder.path(), 1);
    world.call("s3:CreateBucket", json!({"Bucket": "photos"})).await.expect("a bucket");
    directory(&world).await;
    let mut known: Vec<(&str, &str, Vec<u8>)> = Vec::new();
    for (key, len) in [("row", 500), ("segment", 100 << 10), ("blob", 6 << 20)] {
        let told = put(&world, key, text(len)).await;
        assert_eq!(
            (&told["ETag"], &told["ServerSideEncryption"]),
            (&json!(e_tag(&text(len))), &json!("AES256"))
        );
        known.push(("photos", key, text(len)));
    }
    let parts = upload(&world, "parts").await;
    for (key, source) in [("copy", "row"), ("copied parts", "parts")] {
        let input = json!({"Key": key, "CopySource": format!("photos/{source}")});
        call(&world, "CopyObject", input).await.expect("copied");
    }
    known.extend([("photos", "parts", parts.clone()), ("photos", "copied parts", parts)]);
    known.push(("photos", "copy", text(500)));
    let mut log = Vec::new();
    for len in [10, 20 << 10, 300 << 10] {
        append(&world, "log", log.len(), text(len)).await;
        log.extend(text(len));
    }
    known.push((DIRECTORY, "log", log));
    let note = json!({"Key": "row", "AnnotationName": "note"});
    send(&world, "PutObjectAnnotation", note, text(200)).await.expect("annotated");
    for life in 0..2 {
        let world = if life == 0 { &world } else { &world_in(folder.path(), 2) };
        for (bucket, key, expected) in &known {
            assert!(read(world, bucket, key, None).await == expected, "{bucket}/{key}");
            let end = expected.len();
            for (from, to) in [(0, 0), (3, 100), (16, 33), (end / 2, end - 1), (end - 20, end - 1)]
            {
                let part = read(world, bucket, key, Some(&format!("bytes={from}-{to}"))).await;
                assert!(part == expected[from..=to], "{bucket}/{key} {from}-{to}");
            }
        }
        if life == 0 {
            world.cloud().db().close().expect("closed");
        }
    }
    // Keys lie open, which shows that the search finds what is there.
    assert!(lies(folder.path(), b"copied parts"));
    assert!(!lies(folder.path(), &TEXT.as_bytes()[..12]));
}

#[tokio::test]
async fn each_body_has_a_stream_of_its_own() {
    let world = with_bucket().await;
    let stored = |key: &str| {
        let row = world.cloud().db().snapshot();
        let object = OBJECTS.get(&row, &("photos", key)).expect("a row").expect("an object");
        let link = object.body.links()[0].clone();
        (link.nonce.expect("a nonce"), link.blob.as_inline().expect("inline").clone())
    };
    put(&world, "a", vec![0; 100]).await;
    let first = stored("a");
    put(&world, "a", vec![0; 100]).await;
    let second = stored("a");
    assert_ne!(first.0, second.0);
    assert_ne!(first.1, second.1);
    // A copy that shares the bytes shares what opens them.
    call(&world, "CopyObject", json!({"Key": "b", "CopySource": "photos/a"}))
        .await
        .expect("copied");
    assert_eq!(stored("b"), second);
    assert_eq!(body_of(&world, "b").await, vec![0; 100]);
    // Another key of the cloud's opens nothing of it.
    let other = World::new(SERVICES);
    let stream = other.cloud().root_key().bodies().stream(&second.0);
    let mut opened = second.1.to_vec();
    { stream }.apply(&mut opened);
    assert_ne!(opened, vec![0; 100]);
}

#[tokio::test]
async fn the_first_body_leaves_the_word_of_the_root_key() {
    let folder = tempfile::tempdir().expect("a folder");
    let world = world_in(folder.path(), 1);
    world.call("s3:CreateBucket", json!({"Bucket": "photos"})).await.expect("a bucket");
    assert!(!world.cloud().has_sealed().expect("rows"));
    put(&world, "a", text(10)).await;
    assert!(world.cloud().has_sealed().expect("rows"));
    let begun = call(&world, "CreateMultipartUpload", json!({"Key": "a"})).await;
    assert!(begun.is_ok());
    world.cloud().db().close().expect("closed");
    let db = Db::open(&Options::new(folder.path())).expect("a database");
    let again = World::with(SERVICES, db, Clock::system(), Ids::seeded(2));
    assert!(!again.cloud().use_root_key(RootKey::new(&[8; 32])).expect("rows"));
    assert!(again.cloud().use_root_key(RootKey::new(&[7; 32])).expect("rows"));
    assert_eq!(body_of(&again, "a").await, text(10));
}

/// Writes an object's row as it was before S3 had a key: in the second version, with the bytes as they are.
async fn make_old(world: &World, bucket: &str, key: &str, plain: &'static [u8]) {
    let row = world.cloud().db().snapshot();
    let mut object: Object = OBJECTS.get(&row, &(bucket, key)).expect("a row").expect("an object");
    drop(row);
    object.body = Chain::of(BlobRef::inline(Bytes::from_static(plain)), None);
    let mut bytes = Vec::new();
    object.encode(&mut bytes).expect("a row");
    assert_eq!(bytes[0], 3);
    bytes[0] = 2;
    // One link, no nonce, inline, the length, and the bytes.
    let nonce_at = bytes.len() - plain.len() - 3;
    assert_eq!(bytes[nonce_at - 1..][..4], [1, 0, 0, plain.len() as u8]);
    bytes.remove(nonce_at);
    let cx = fogbank_core::Cx::background(world.cloud().clone(), "s3", "test");
    let raw = Raw(bytes.into());
    cx.write(|tx| RAW.put(tx, &(bucket, key), &raw)).await.expect("written");
}

fn has_plain(world: &World, plain: &[u8]) -> bool {
    world.rows(&crate::SERVICE).values().any(|row| row.windows(plain.len()).any(|w| w == plain))
}

#[tokio::test]
async fn what_was_written_before_is_read_and_sealed_by_a_copy() {
    const OLD: &[u8] = b"written when nothing was sealed";
    let world = with_bucket().await;
    directory(&world).await;
    put(&world, "old", OLD.to_vec()).await;
    make_old(&world, "photos", "old", OLD).await;
    assert!(has_plain(&world, OLD));
    let (told, read_back) = get(&world, json!({"Key": "old"})).await.expect("read");
    assert_eq!((&read_back[..], &told["ServerSideEncryption"]), (OLD, &json!("AES256")));
    let (_, part) = get(&world, json!({"Key": "old", "Range": "bytes=8-11"})).await.expect("read");
    assert_eq!(&part[..], &OLD[8..12]);
    let itself = json!({"Key": "old", "CopySource": "photos/old", "MetadataDirective": "REPLACE"});
    let copied = call(&world, "CopyObject", itself).await.expect("copied");
    assert_eq!(copied["CopyObjectResult"]["ETag"], e_tag(OLD));
    assert_eq!(body_of(&world, "old").await, OLD);
    assert!(!has_plain(&world, OLD));
    // What is appended is sealed, though what was there is not.
    append(&world, "log", 0, OLD.to_vec()).await;
    make_old(&world, DIRECTORY, "log", OLD).await;
    let more = text(50_000);
    append(&world, "log", OLD.len(), more.clone()).await;
    let whole = [OLD, &more].concat();
    assert!(read(&world, DIRECTORY, "log", None).await == whole);
    assert!(read(&world, DIRECTORY, "log", Some("bytes=20-40000")).await == whole[20..=40_000]);
    assert!(has_plain(&world, OLD) && !has_plain(&world, &TEXT.as_bytes()[..12]));
    let copy =
        json!({"Bucket": DIRECTORY, "Key": "copy", "CopySource": format!("{DIRECTORY}/log")});
    world.call("s3:CopyObject", copy).await.expect("copied");
    assert!(read(&world, DIRECTORY, "copy", None).await == whole);
    world.call("s3:DeleteObject", json!({"Bucket": DIRECTORY, "Key": "log"})).await.expect("gone");
    assert!(!has_plain(&world, OLD));
}
