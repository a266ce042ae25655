//! Listing objects, version 1 and 2.

use fogbank_testkit::{Value, World, expect, json};

use super::{call, put, refused, with, with_bucket};

async fn with_keys(keys: &[&str]) -> World {
    let world = with_bucket().await;
    for key in keys {
        put(&world, key, "x".to_owned()).await;
    }
    world
}

fn names(output: &Value) -> Vec<String> {
    let text = |value: &Value| value.as_str().expect("text").to_owned();
    let keys = output["Contents"].as_array().into_iter().flatten().map(|object| &object["Key"]);
    let prefixes = output["CommonPrefixes"].as_array().into_iter().flatten();
    keys.chain(prefixes.map(|prefix| &prefix["Prefix"])).map(text).collect()
}

/// Lists everything page by page, with version 1 and 2, and checks that both find the same.
async fn all_pages(world: &World, size: i32, more: Value) -> Vec<String> {
    let (mut one, mut two) = (Vec::new(), Vec::new());
    let input = with(json!({"MaxKeys": size}), more);
    let mut page = input.clone();
    loop {
        let output = call(world, "ListObjectsV2", page.clone()).await.expect("a page");
        assert_eq!(output["KeyCount"], names(&output).len());
        two.extend(names(&output));
        if output["IsTruncated"] == false {
            assert_eq!(output["NextContinuationToken"], Value::Null);
            break;
        }
        page = with(input.clone(), json!({"ContinuationToken": output["NextContinuationToken"]}));
    }
    page = input.clone();
    loop {
        let output = call(world, "ListObjects", page.clone()).await.expect("a page");
        let found = names(&output);
        let marker = match &output["NextMarker"] {
            Value::Null => found.last().cloned().map_or(Value::Null, Value::String),
            marker => marker.clone(),
        };
        one.extend(found);
        if output["IsTruncated"] == false {
            break;
        }
        page = with(input.clone(), json!({"Marker": marker}));
    }
    assert_eq!(one, two);
    two
}

#[tokio::test]
async fn pages_of_every_size_find_everything_once() {
    let keys = ["a", "b/1", "b/2", "b/3/x", "c", "d/", "d/1", "e", "z//"];
    let world = with_keys(&keys).await;
    for size in [1, 2, 3, 9, 1000] {
        assert_eq!(all_pages(&world, size, json!({})).await, keys, "{size}");
        let mut found = all_pages(&world, size, json!({"Delimiter": "/"})).await;
        found.sort();
        assert_eq!(found, ["a", "b/", "c", "d/", "e", "z/"], "{size}");
        let mut found = all_pages(&world, size, json!({"Delimiter": "/", "Prefix": "b/"})).await;
        found.sort();
        assert_eq!(found, ["b/1", "b/2", "b/3/"], "{size}");
        let found = all_pages(&world, size, json!({"Prefix": "b"})).await;
        assert_eq!(found, ["b/1", "b/2", "b/3/x"], "{size}");
    }
    assert_eq!(all_pages(&world, 5, json!({"Prefix": "b", "Delimiter": "b"})).await.len(), 3);
    assert!(all_pages(&world, 5, json!({"Prefix": "nothing"})).await.is_empty());
}

#[tokio::test]
async fn an_answer_tells_what_was_asked_for() {
    let world = with_keys(&["a b/ü", "a+"]).await;
    let input =
        json!({"EncodingType": "url", "Delimiter": "/", "StartAfter": "a ", "MaxKeys": 5000});
    let mut output = call(&world, "ListObjectsV2", with(input, json!({"FetchOwner": true})))
        .await
        .expect("a list");
    assert_eq!(output["Contents"][0]["Owner"]["ID"].as_str().map(str::len), Some(64));
    output["Contents"][0]["Owner"].take();
    expect![[r#"
        {
          "CommonPrefixes": [
            {
              "Prefix": "a+b/"
            }
          ],
          "Contents": [
            {
              "ChecksumAlgorithm": [
                "CRC64NVME"
              ],
              "ChecksumType": "FULL_OBJECT",
              "ETag": "\"9dd4e461268c8034f5c8564e155c67a6\"",
              "Key": "a%2B",
              "LastModified": 1767225600,
              "Owner": null,
              "Size": 1,
              "StorageClass": "STANDARD"
            }
          ],
          "Delimiter": "/",
          "EncodingType": "url",
          "IsTruncated": false,
          "KeyCount": 2,
          "MaxKeys": 1000,
          "Name": "photos",
          "Prefix": "",
          "StartAfter": "a+"
        }"#]]
    .assert_eq(&serde_json::to_string_pretty(&output).expect("JSON"));
}

#[tokio::test]
async fn starts_and_limits() {
    let world = with_keys(&["a", "b/1", "b/2", "c"]).await;
    let list = |more: Value| call(&world, "ListObjectsV2", more);
    let output = list(json!({"StartAfter": "b/1"})).await.expect("a list");
    assert_eq!(names(&output), ["b/2", "c"]);
    let output = list(json!({"StartAfter": "b/1", "Delimiter": "/"})).await.expect("a list");
    assert_eq!(names(&output), ["c", "b/"]);
    // A marker takes its common prefix with it.
    let marked = json!({"Marker": "b/1", "Delimiter": "/"});
    let output = call(&world, "ListObjects", marked).await.expect("a list");
    assert_eq!(names(&output), ["c"]);
    let output = list(json!({"Delimiter": ""})).await.expect("a list");
    assert_eq!((names(&output).len(), &output["Delimiter"]), (4, &Value::Null));
    let output = list(json!({"MaxKeys": 0})).await.expect("a list");
    assert_eq!((&output["IsTruncated"], &output["KeyCount"]), (&json!(false), &json!(0)));
    for (more, expected) in [
        (
            json!({"MaxKeys": -1}),
            "InvalidArgument: Argument maxKeys must be an integer between 0 and 2147483647 ArgumentName=maxKeys",
        ),
        (
            json!({"ContinuationToken": "?"}),
            "InvalidArgument: The continuation token provided is incorrect",
        ),
        (
            json!({"EncodingType": "rot13"}),
            "InvalidArgument: Invalid Encoding Method specified in Request",
        ),
    ] {
        let text = refused(list(more).await);
        assert!(text.starts_with(expected), "{text}");
    }
}

#[tokio::test]
async fn every_object_has_one_version() {
    let world = with_keys(&["a", "b/1", "b/2", "c"]).await;
    let list = |more: Value| call(&world, "ListObjectVersions", more);
    let mut found = Vec::new();
    let mut input = json!({"MaxKeys": 1, "Delimiter": "/"});
    loop {
        let output = list(input.clone()).await.expect("a page");
        for version in output["Versions"].as_array().expect("versions") {
            assert_eq!(
                (&version["VersionId"], &version["IsLatest"]),
                (&json!("null"), &json!(true))
            );
            found.push(version["Key"].as_str().expect("a key").to_owned());
        }
        let prefixes = output["CommonPrefixes"].as_array().expect("prefixes");
        found.extend(prefixes.iter().map(|p| p["Prefix"].as_str().expect("text").to_owned()));
        if output["IsTruncated"] == false {
            break;
        }
        input["KeyMarker"] = output["NextKeyMarker"].clone();
        if let Some(version) = output["NextVersionIdMarker"].as_str() {
            input["VersionIdMarker"] = version.into();
        }
    }
    assert_eq!(found, ["a", "b/", "c"]);
    let text = refused(list(json!({"VersionIdMarker": "null"})).await);
    assert!(text.starts_with("InvalidArgument: A version-id marker cannot be"), "{text}");
    let version = json!({"Key": "a", "VersionId": "null"});
    call(&world, "DeleteObject", version).await.expect("removed");
}
