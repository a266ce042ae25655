//! Bodies that are kept in memory: what is read is what was written, whatever was read before.

use fogbank_core::store::{BlobRef, Db, Options};
use fogbank_core::{Clock, Ids, Timestamp};
use fogbank_testkit::{World, json};

use super::{allow_customer_keys, body_of, call, get, noise, put, refused, send, with_bucket};
use crate::opened;
use crate::store::OBJECTS;

/// The blob that an object's body is.
fn blob(world: &World, key: &str) -> BlobRef {
    let object = OBJECTS.get(&world.cloud().db().snapshot(), &("photos", key)).expect("readable");
    object.expect("an object").body.links()[0].blob.clone()
}

fn is_kept(world: &World, blob: &BlobRef) -> bool {
    let opened = opened::of(world.cloud()).expect("bodies are kept");
    blob.id().is_some_and(|id| opened.get(id, &(0..1)).is_some())
}

#[tokio::test]
async fn a_body_is_kept_that_is_read_twice() {
    let world = with_bucket().await;
    for size in [100, 16 << 10, (16 << 10) + 1, 70_000, 256 << 10, 700_001, 1 << 20, 1_100_000] {
        let body = noise(size);
        put(&world, "a", body.clone()).await;
        let blob = blob(&world, "a");
        let mut was_kept = Vec::new();
        for _ in 0..4 {
            assert!(body_of(&world, "a").await == body, "{size}");
            let range = json!({"Key": "a", "Range": "bytes=7-60"});
            assert!(get(&world, range).await.expect("a range").1 == body[7..61], "{size}");
            was_kept.push(is_kept(&world, &blob));
        }
        // Small ones are in their rows, and the world has memory for four of a MiB.
        let fits = size > 16 << 10 && size <= 1 << 20;
        assert_eq!(was_kept, [false, fits, fits, fits], "{size}");
    }
}

#[tokio::test]
async fn ranges_and_conditions_are_answered_as_from_the_store() {
    let world = with_bucket().await;
    let body = noise(600_000);
    put(&world, "a", body.clone()).await;
    let mut answers = Vec::new();
    for _ in 0..3 {
        let mut told = Vec::new();
        for more in [
            json!({}),
            json!({"Range": "bytes=0-0"}),
            json!({"Range": "bytes=262143-262144"}),
            json!({"Range": "bytes=599999-700000"}),
            json!({"Range": "bytes=-5"}),
            json!({"Range": "bytes=600000-"}),
            json!({"PartNumber": 1}),
            json!({"IfMatch": "\"0\""}),
            json!({"IfNoneMatch": "\"0\"", "ChecksumMode": "ENABLED"}),
        ] {
            let asked = super::with(json!({"Key": "a"}), more);
            told.push(format!("{:?}", get(&world, asked).await));
        }
        answers.push(told);
        assert!(body_of(&world, "a").await == body);
    }
    assert!(is_kept(&world, &blob(&world, "a")));
    assert_eq!(answers[0], answers[1]);
    assert_eq!(answers[0], answers[2]);
}

#[tokio::test]
async fn what_is_replaced_or_removed_is_forgotten() {
    let world = with_bucket().await;
    put(&world, "a", noise(100_000)).await;
    let first = blob(&world, "a");
    for _ in 0..2 {
        body_of(&world, "a").await;
    }
    assert!(is_kept(&world, &first));
    put(&world, "a", noise(90_000)).await;
    assert!(!is_kept(&world, &first));
    let second = blob(&world, "a");
    for _ in 0..3 {
        assert!(body_of(&world, "a").await == noise(90_000));
    }
    assert!(is_kept(&world, &second));
    call(&world, "DeleteObject", json!({"Key": "a"})).await.expect("removed");
    assert!(refused(get(&world, json!({"Key": "a"})).await).starts_with("NoSuchKey"));
    assert!(!is_kept(&world, &second));
}

#[tokio::test]
async fn memory_is_bounded_and_a_scan_keeps_nothing() {
    let world = with_bucket().await;
    let key = |n: usize| format!("{n:03}");
    for n in 0..100 {
        put(&world, &key(n), noise(200_000 + n)).await;
    }
    let opened = opened::of(world.cloud()).expect("bodies are kept");
    for n in 0..100 {
        body_of(&world, &key(n)).await;
    }
    assert_eq!(opened.bytes(), 0);
    for n in 0..100 {
        assert!(body_of(&world, &key(n)).await == noise(200_000 + n));
        assert!(opened.bytes() <= 4 << 20, "{n}: {}", opened.bytes());
    }
    assert!(opened.bytes() > 3 << 20, "{}", opened.bytes());
}

#[tokio::test]
async fn what_customers_keys_encrypt_is_not_kept() {
    let world = with_bucket().await;
    allow_customer_keys(&world, "photos").await;
    let key = super::customer_keys::key(1, "");
    let asked = super::with(json!({"Key": "a"}), key);
    send(&world, "PutObject", asked.clone(), noise(100_000)).await.expect("written");
    for _ in 0..3 {
        assert!(get(&world, asked.clone()).await.expect("read").1 == noise(100_000));
    }
    assert!(!is_kept(&world, &blob(&world, "a")));
    assert_eq!(opened::of(world.cloud()).expect("bodies are kept").bytes(), 0);
}

#[tokio::test]
async fn a_damaged_body_is_not_kept() {
    let folder = tempfile::tempdir().expect("a folder");
    let db = Db::open(&Options::new(folder.path())).expect("opened");
    let clock = Clock::frozen(Timestamp::from_secs(1_767_225_600));
    let world = World::with(super::SERVICES, db, clock, Ids::seeded(1));
    world.call("s3:CreateBucket", json!({"Bucket": "photos"})).await.expect("a bucket");
    for (key, reads_before) in [("early", 1), ("late", 2)] {
        let body = noise(50_000);
        put(&world, key, body.clone()).await;
        for _ in 0..reads_before {
            assert!(body_of(&world, key).await == body);
        }
    }
    for file in std::fs::read_dir(folder.path().join("blobs")).expect("a folder") {
        let path = file.expect("a file").path();
        let mut bytes = std::fs::read(&path).expect("readable");
        for at in [10_000, 70_000] {
            bytes[at] ^= 1;
        }
        std::fs::write(&path, bytes).expect("writable");
    }
    let outcome = get(&world, json!({"Key": "early"})).await;
    assert!(refused(outcome).starts_with("InternalFailure"));
    assert!(!is_kept(&world, &blob(&world, "early")));
    // What was verified when it was kept is still right.
    assert!(body_of(&world, "late").await == noise(50_000));
}
