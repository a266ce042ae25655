//! Versions: what is kept, what is current, and how it is listed.

use fogbank_testkit::{Value, World, json};

use super::{body_of, call, get, put, refused, send, with_bucket};

async fn set(world: &World, status: &str) {
    let input = json!({"VersioningConfiguration": {"Status": status}});
    call(world, "PutBucketVersioning", input).await.expect("configured");
}

async fn write(world: &World, key: &str, body: &str) -> String {
    let told = put(world, key, body.to_owned()).await;
    told["VersionId"].as_str().expect("a version").to_owned()
}

async fn remove(world: &World, more: Value) -> Value {
    call(world, "DeleteObject", more).await.expect("removed")
}

/// The listing as one text: each version's key, body's size or `x` for a marker, and `*` if it is the latest.
async fn listed(world: &World, more: Value) -> (String, Value) {
    let told = call(world, "ListObjectVersions", more).await.expect("a list");
    let mut rows: Vec<String> = Vec::new();
    for (list, is_marker) in [("Versions", false), ("DeleteMarkers", true)] {
        for row in told[list].as_array().expect("a list") {
            let size = if is_marker { "x".to_owned() } else { row["Size"].to_string() };
            let latest = if row["IsLatest"] == true { "*" } else { "" };
            rows.push(format!("{}:{size}{latest}", row["Key"].as_str().expect("a key")));
        }
    }
    (rows.join(" "), told)
}

#[tokio::test]
async fn a_configuration_must_say_what_it_wants() {
    let world = with_bucket().await;
    for (status, wanted) in [
        (
            json!({}),
            "IllegalVersioningConfigurationException: The Versioning element must be specified",
        ),
        (json!({"Status": "enabled"}), "MalformedXML: "),
    ] {
        let input = json!({"VersioningConfiguration": status});
        let told = refused(call(&world, "PutBucketVersioning", input).await);
        assert!(told.starts_with(wanted), "{told}");
    }
}

#[tokio::test]
async fn versions_are_kept_and_read_by_their_ids() {
    let world = with_bucket().await;
    put(&world, "a", "1".to_owned()).await;
    set(&world, "Enabled").await;
    let second = write(&world, "a", "22").await;
    let third = write(&world, "a", "333").await;
    assert_eq!(body_of(&world, "a").await, "333");
    for (id, body) in [("null", "1"), (&second, "22"), (&third, "333")] {
        let (told, bytes) =
            get(&world, json!({"Key": "a", "VersionId": id})).await.expect("a version");
        assert_eq!((bytes.as_ref(), told["VersionId"].as_str()), (body.as_bytes(), Some(id)));
    }
    assert_eq!(listed(&world, json!({})).await.0, "a:3* a:2 a:1");
    // A marker hides what is there, and is no error to make twice.
    let marker = remove(&world, json!({"Key": "a"})).await;
    assert_eq!(marker["DeleteMarker"], true);
    let gone = refused(get(&world, json!({"Key": "a"})).await);
    assert!(gone.starts_with("NoSuchKey: "), "{gone}");
    assert!(gone.contains("x-amz-delete-marker=true"), "{gone}");
    let no_method =
        refused(get(&world, json!({"Key": "a", "VersionId": marker["VersionId"]})).await);
    let wanted = "MethodNotAllowed: The specified method is not allowed against this resource. Method=GET ResourceType=DeleteMarker Allow=DELETE x-amz-delete-marker=true";
    assert!(no_method.starts_with(wanted), "{no_method}");
    assert!(no_method.contains(" Last-Modified=Thu, 01 Jan 2026 00:00:0"), "{no_method}");
    assert_eq!(listed(&world, json!({})).await.0, "a:3 a:2 a:1 a:x*");
    assert_eq!(call(&world, "ListObjectsV2", json!({})).await.expect("a list")["KeyCount"], 0);
    // Without the marker the version before is current again, and without that the one before it.
    let again = remove(&world, json!({"Key": "a", "VersionId": marker["VersionId"]})).await;
    assert_eq!((&again["DeleteMarker"], &again["VersionId"]), (&json!(true), &marker["VersionId"]));
    assert_eq!(body_of(&world, "a").await, "333");
    remove(&world, json!({"Key": "a", "VersionId": third})).await;
    assert_eq!(body_of(&world, "a").await, "22");
    let absent = remove(&world, json!({"Key": "a", "VersionId": third})).await;
    assert_eq!(absent, json!({"VersionId": third}));
    assert!(refused(call(&world, "DeleteBucket", json!({})).await).starts_with("BucketNotEmpty"));
    for id in [&second, "null"] {
        remove(&world, json!({"Key": "a", "VersionId": id})).await;
    }
    assert_eq!(listed(&world, json!({})).await.0, "");
    call(&world, "DeleteBucket", json!({})).await.expect("an empty bucket");
}

#[tokio::test]
async fn delete_markers_are_neither_changed_nor_copied() {
    const REFUSED: &str =
        "MethodNotAllowed: The specified method is not allowed against this resource.";
    let world = with_bucket().await;
    set(&world, "Enabled").await;
    write(&world, "a", "1").await;
    let marker = remove(&world, json!({"Key": "a"})).await["VersionId"].clone();
    let tags = json!({"Key": "a", "Tagging": {"TagSet": []}});
    let named = super::with(tags.clone(), json!({"VersionId": marker}));
    let told = refused(call(&world, "PutObjectTagging", named).await);
    let id = marker.as_str().expect("an id");
    assert_eq!(
        told,
        format!(
            "{REFUSED} Method=PUT ResourceType=DeleteMarker Allow=DELETE x-amz-delete-marker=true x-amz-version-id={id}"
        )
    );
    let told = refused(call(&world, "PutObjectTagging", tags).await);
    assert_eq!(told, format!("{REFUSED} Method=PUT ResourceType=DeleteMarker Allow=DELETE"));
    let told = refused(call(&world, "DeleteObjectTagging", json!({"Key": "a"})).await);
    assert_eq!(told, format!("{REFUSED} Method=DELETE ResourceType=DeleteMarker Allow=DELETE"));
    let acl = refused(call(&world, "GetObjectAcl", json!({"Key": "a"})).await);
    assert!(acl.starts_with("NoSuchKey: "), "{acl}");
    let copy = async |version: &str| {
        let source = format!("photos/a?versionId={version}");
        refused(call(&world, "CopyObject", json!({"Key": "b", "CopySource": source})).await)
    };
    assert_eq!(
        copy(id).await,
        "InvalidRequest: The source of a copy request may not specifically refer to a delete marker by version id."
    );
    assert_eq!(copy("abc").await, "InvalidRequest: Invalid Request");
    assert_eq!(
        copy("").await,
        "InvalidArgument: Version id cannot be the empty string ArgumentName=x-amz-copy-source ArgumentValue="
    );
}

#[tokio::test]
async fn a_key_that_is_named_twice_is_removed_once() {
    let world = with_bucket().await;
    set(&world, "Enabled").await;
    let version = write(&world, "a", "1").await;
    let keys = json!([{"Key": "a"}, {"Key": "a"}, {"Key": "a", "VersionId": version}]);
    let input = json!({"Delete": {"Objects": keys}});
    let told = call(&world, "DeleteObjects", input).await.expect("removed");
    let deleted = told["Deleted"].as_array().expect("a list");
    assert_eq!((deleted.len(), &deleted[0]["DeleteMarker"]), (2, &json!(true)));
    assert_eq!(deleted[1], json!({"Key": "a", "VersionId": version}));
    assert_eq!(listed(&world, json!({})).await.0, "a:x*");
}

#[tokio::test]
async fn while_suspended_there_is_one_null_version() {
    let world = with_bucket().await;
    set(&world, "Enabled").await;
    let first = write(&world, "a", "1").await;
    set(&world, "Suspended").await;
    // The answer to a write does not tell `null`, that to a read does.
    for body in ["22", "333"] {
        assert_eq!(put(&world, "a", body.to_owned()).await["VersionId"], Value::Null);
    }
    let head = call(&world, "HeadObject", json!({"Key": "a"})).await.expect("an object");
    assert_eq!(head["VersionId"], "null");
    assert_eq!(listed(&world, json!({})).await.0, "a:3* a:1");
    set(&world, "Enabled").await;
    write(&world, "a", "4444").await;
    assert_eq!(listed(&world, json!({})).await.0, "a:4* a:3 a:1");
    set(&world, "Suspended").await;
    // The marker takes the place of the null version behind the current one.
    let marker = remove(&world, json!({"Key": "a"})).await;
    assert_eq!(marker, json!({"DeleteMarker": true, "VersionId": "null"}));
    assert_eq!(listed(&world, json!({})).await.0, "a:4 a:1 a:x*");
    put(&world, "a", "55555".to_owned()).await;
    assert_eq!(listed(&world, json!({})).await.0, "a:5* a:4 a:1");
    remove(&world, json!({"Key": "a", "VersionId": "null"})).await;
    assert_eq!(body_of(&world, "a").await, "4444");
    let (_, bytes) = get(&world, json!({"Key": "a", "VersionId": first})).await.expect("first");
    assert_eq!(bytes, "1");
}

#[tokio::test]
async fn pages_of_versions_go_on_where_they_ended() {
    let world = with_bucket().await;
    set(&world, "Enabled").await;
    for round in 0..3 {
        for key in ["a", "b/1", "b/2", "c"] {
            write(&world, key, &"x".repeat(round + 1)).await;
        }
    }
    remove(&world, json!({"Key": "b/1"})).await;
    let whole = listed(&world, json!({})).await.0;
    assert_eq!(whole, "a:3* a:2 a:1 b/1:3 b/1:2 b/1:1 b/2:3* b/2:2 b/2:1 c:3* c:2 c:1 b/1:x*");
    for limit in 1..14 {
        let (mut count, mut latest) = (0, 0);
        let mut input = json!({"MaxKeys": limit});
        loop {
            let (rows, told) = listed(&world, input.clone()).await;
            count += rows.split_whitespace().count();
            latest += rows.matches('*').count();
            if told["IsTruncated"] == false {
                break;
            }
            input["KeyMarker"] = told["NextKeyMarker"].clone();
            input["VersionIdMarker"] = told["NextVersionIdMarker"].clone();
        }
        assert_eq!((count, latest), (13, 4), "{limit} at a time");
    }
    let (rows, told) = listed(&world, json!({"Delimiter": "/"})).await;
    assert_eq!(rows, "a:3* a:2 a:1 c:3* c:2 c:1");
    assert_eq!(told["CommonPrefixes"], json!([{"Prefix": "b/"}]));
    let (rows, told) = listed(&world, json!({"Delimiter": "/", "MaxKeys": 4})).await;
    assert_eq!((&*rows, &told["NextKeyMarker"]), ("a:3* a:2 a:1", &json!("b/")));
    let more = json!({"Delimiter": "/", "KeyMarker": "b/"});
    assert_eq!(listed(&world, more).await.0, "c:3* c:2 c:1");
}

#[tokio::test]
async fn copies_tags_and_many_removals_know_versions() {
    let world = with_bucket().await;
    set(&world, "Enabled").await;
    let first = write(&world, "a", "1").await;
    let second = write(&world, "a", "22").await;
    let source = json!({"Key": "b", "CopySource": format!("photos/a?versionId={first}")});
    let copied = call(&world, "CopyObject", source).await.expect("copied");
    assert_eq!(copied["CopySourceVersionId"], first);
    assert_eq!(body_of(&world, "b").await, "1");
    let tags = json!({"TagSet": [{"Key": "k", "Value": "v"}]});
    let input = json!({"Key": "a", "VersionId": first, "Tagging": tags});
    let told = call(&world, "PutObjectTagging", input).await.expect("tagged");
    assert_eq!(told["VersionId"], first);
    let current = call(&world, "GetObjectTagging", json!({"Key": "a"})).await.expect("tags");
    assert_eq!(current["TagSet"], json!([]));
    let old = json!({"Key": "a", "VersionId": first});
    let old = call(&world, "GetObjectTagging", old).await.expect("tags");
    assert_eq!(old["TagSet"], tags["TagSet"]);
    let keys = json!([
        {"Key": "a", "VersionId": first},
        {"Key": "a", "VersionId": second},
        {"Key": "b"},
        {"Key": "b"},
    ]);
    let told = call(&world, "DeleteObjects", json!({"Delete": {"Objects": keys}})).await;
    let told = told.expect("removed");
    let marker = &told["Deleted"][2]["DeleteMarkerVersionId"];
    assert_eq!(told["Deleted"][0], json!({"Key": "a", "VersionId": first}));
    assert_eq!((marker.is_string(), &told["Deleted"][3]), (true, &Value::Null));
    assert_eq!(listed(&world, json!({})).await.0, "b:1 b:x*");
    let invalid = json!({"Key": "a", "VersionId": "x"});
    let outcome = refused(call(&world, "HeadObject", invalid).await);
    assert!(outcome.starts_with("InvalidArgument: Invalid version id specified"), "{outcome}");
    let outcome = json!({"Key": "a", "VersionId": first});
    assert!(refused(call(&world, "HeadObject", outcome).await).starts_with("NoSuchVersion"));
}

#[tokio::test]
async fn bodies_of_removed_versions_go_and_those_of_kept_ones_stay() {
    let world = with_bucket().await;
    set(&world, "Enabled").await;
    let body = super::noise(100_000);
    for _ in 0..2 {
        send(&world, "PutObject", json!({"Key": "a"}), body.clone()).await.expect("written");
    }
    let (_, told) = listed(&world, json!({})).await;
    let old = &told["Versions"][1]["VersionId"];
    call(&world, "DeleteObject", json!({"Key": "a", "VersionId": old})).await.expect("removed");
    assert_eq!(body_of(&world, "a").await, body);
    set(&world, "Suspended").await;
    put(&world, "a", "null".to_owned()).await;
    let (_, told) = listed(&world, json!({})).await;
    let kept = json!({"Key": "a", "VersionId": told["Versions"][1]["VersionId"]});
    assert_eq!(get(&world, kept).await.expect("a version").1, body);
}
