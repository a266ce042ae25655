//! Conditional reads, writes and removals.

use fogbank_testkit::{Value, json};

use super::{call, e_tag, get, put, refused, send, with, with_bucket};

#[tokio::test]
async fn reads_on_conditions() {
    let world = with_bucket().await;
    put(&world, "a", "hello".to_owned()).await;
    let tag = e_tag(b"hello");
    let read = |more: Value| get(&world, with(json!({"Key": "a"}), more));
    let modified = 1_767_225_600;
    for more in [
        json!({"IfMatch": tag}),
        json!({"IfNoneMatch": "\"other\""}),
        json!({"IfModifiedSince": modified - 1}),
        json!({"IfUnmodifiedSince": modified}),
    ] {
        let (told, body) = read(more).await.expect("an object");
        assert_eq!((&told["StatusCode"], body.len()), (&Value::Null, 5));
    }
    for more in [json!({"IfNoneMatch": tag}), json!({"IfModifiedSince": modified})] {
        let (told, body) = read(more).await.expect("nothing new");
        assert_eq!((&told["StatusCode"], &told["ETag"], body.len()), (&json!(304), &json!(tag), 0));
    }
    for (more, condition) in [
        (json!({"IfMatch": "x"}), "If-Match"),
        (json!({"IfUnmodifiedSince": modified - 1}), "If-Unmodified-Since"),
    ] {
        let expected = format!(
            "PreconditionFailed: At least one of the pre-conditions you specified did not hold Condition={condition}"
        );
        assert_eq!(refused(read(more.clone()).await), expected);
        let outcome = call(&world, "HeadObject", with(json!({"Key": "a"}), more)).await;
        assert_eq!(refused(outcome), expected);
    }
}

#[tokio::test]
async fn writes_on_conditions() {
    let world = with_bucket().await;
    let write = |key: &str, more: Value| {
        send(&world, "PutObject", with(json!({"Key": key}), more), "new".to_owned())
    };
    write("a", json!({"IfNoneMatch": "*"})).await.expect("the first");
    let failed = "PreconditionFailed: At least one of the pre-conditions you specified did not hold Condition=";
    let outcome = write("a", json!({"IfNoneMatch": "*"})).await;
    assert_eq!(refused(outcome), format!("{failed}If-None-Match"));
    let outcome = write("a", json!({"IfMatch": "\"x\""})).await;
    assert_eq!(refused(outcome), format!("{failed}If-Match"));
    write("a", json!({"IfMatch": e_tag(b"new")})).await.expect("the same");
    let outcome = write("b", json!({"IfMatch": "\"x\""})).await;
    assert_eq!(refused(outcome), "NoSuchKey: The specified key does not exist. Key=b");
    for (more, header) in [
        (json!({"IfMatch": "*"}), "If-Match"),
        (json!({"IfNoneMatch": "\"x\""}), "If-None-Match"),
        (json!({"IfNoneMatch": "*", "IfMatch": "\"x\""}), "If-Match,If-None-Match"),
    ] {
        let text = refused(write("a", more).await);
        let expected = format!(
            "NotImplemented: A header you provided implies functionality that is not implemented Header={header} "
        );
        assert!(text.starts_with(&expected), "{text}");
    }
}

#[tokio::test]
async fn removals_on_conditions() {
    let world = with_bucket().await;
    put(&world, "a", "hello".to_owned()).await;
    let remove = |more: Value| call(&world, "DeleteObject", with(json!({"Key": "a"}), more));
    let outcome = remove(json!({"IfMatch": "\"x\""})).await;
    assert!(refused(outcome).starts_with("PreconditionFailed: "));
    let outcome = remove(json!({"IfMatchSize": 5})).await;
    assert!(refused(outcome).starts_with("NotImplemented: "));
    remove(json!({"IfMatch": e_tag(b"hello")})).await.expect("removed");
    let outcome = remove(json!({"IfMatch": "*"})).await;
    assert!(refused(outcome).starts_with("NoSuchKey: "));
}
