//! The files of tables, as S3 serves them.

use super::policies::user;
use super::*;
use fogbank_testkit::expect;

#[tokio::test]
async fn files_are_written_and_read_and_nothing_else() {
    let world = with_namespace().await;
    let bucket = warehouse(&with_table(&world, "orders").await);
    put(&world, &bucket, "data/1.parquet").await.expect("written");
    assert_eq!(&*get(&world, &bucket, "data/1.parquet").await.expect("read"), b"hello");
    let named = json!({"Bucket": bucket, "Key": "data/1.parquet"});
    let head = world.call("s3:HeadObject", named.clone()).await.expect("told");
    assert_eq!(head["ServerSideEncryption"], "AES256");
    let mut told = String::new();
    for (operation, input) in [
        ("ListObjectsV2", json!({"Bucket": bucket})),
        ("DeleteObject", named.clone()),
        ("HeadBucket", json!({"Bucket": bucket})),
        ("DeleteBucket", json!({"Bucket": bucket})),
        ("PutObjectTagging", with(named.clone(), json!({"Tagging": {"TagSet": []}}))),
        ("PutBucketVersioning", json!({"Bucket": bucket, "VersioningConfiguration": {}})),
        ("CreateBucket", json!({"Bucket": bucket})),
        ("CopyObject", with(named.clone(), json!({"CopySource": "a/b"}))),
    ] {
        let refusal = refused(world.call(&format!("s3:{operation}"), input).await);
        told += &format!("{operation} {refusal}");
    }
    let tagged = with(named, json!({"Tagging": "a=b"}));
    let root = Principal::root(ACCOUNT);
    told += &refused(world.send(root, "s3:PutObject", tagged, Body::empty()).await.map(|_| ()));
    world.call("s3:CreateBucket", json!({"Bucket": "plain"})).await.expect("a bucket");
    let copy =
        json!({"Bucket": "plain", "Key": "k", "CopySource": format!("{bucket}/data/1.parquet")});
    told += &refused(world.call("s3:CopyObject", copy).await);
    told += &refused(get(&world, "none--table-s3", "k").await);
    expect![[r#"
        ListObjectsV2 MethodNotAllowed: The specified method is not allowed against this resource.
        DeleteObject MethodNotAllowed: The specified method is not allowed against this resource.
        HeadBucket MethodNotAllowed: The specified method is not allowed against this resource.
        DeleteBucket MethodNotAllowed: The specified method is not allowed against this resource.
        PutObjectTagging MethodNotAllowed: The specified method is not allowed against this resource.
        PutBucketVersioning MethodNotAllowed: The specified method is not allowed against this resource.
        CreateBucket InvalidBucketName: The specified bucket is not valid.
        CopyObject MethodNotAllowed: The specified method is not allowed against this resource.
        NotImplemented: A header you provided implies functionality that is not implemented
        AccessDenied: Access Denied
        NoSuchBucket: The specified bucket does not exist
    "#]].assert_eq(&told);
}

#[tokio::test]
async fn files_are_uploaded_in_parts() {
    let world = with_namespace().await;
    let bucket = warehouse(&with_table(&world, "orders").await);
    let named = json!({"Bucket": bucket, "Key": "data/2.parquet"});
    let upload = world.call("s3:CreateMultipartUpload", named.clone()).await.expect("begun");
    let part = with(named.clone(), json!({"UploadId": upload["UploadId"], "PartNumber": 1}));
    let body = Body::from(Bytes::from_static(b"part"));
    let sent = world.send(Principal::root(ACCOUNT), "s3:UploadPart", part, body).await;
    let e_tag = sent.expect("sent").output["ETag"].clone();
    let input = with(named.clone(), json!({"UploadId": upload["UploadId"]}));
    let listed = world.call("s3:ListParts", input.clone()).await.expect("listed");
    assert_eq!(listed["Parts"][0]["Size"], 4);
    let parts = json!({"MultipartUpload": {"Parts": [{"PartNumber": 1, "ETag": e_tag}]}});
    world.call("s3:CompleteMultipartUpload", with(input, parts)).await.expect("completed");
    assert_eq!(&*get(&world, &bucket, "data/2.parquet").await.expect("read"), b"part");
}

#[tokio::test]
async fn a_table_that_is_deleted_leaves_no_files() {
    let world = with_namespace().await;
    let before = (world.rows(&fogbank_s3::SERVICE), world.rows_under(0x02));
    let bucket = warehouse(&with_table(&world, "orders").await);
    for number in 0..250 {
        put(&world, &bucket, &format!("data/{number}.parquet")).await.expect("written");
    }
    let named_key = json!({"Bucket": bucket, "Key": "open"});
    world.call("s3:CreateMultipartUpload", named_key).await.expect("begun");
    call(&world, "DeleteTable", named("orders")).await.expect("deleted");
    assert!(refused(get(&world, &bucket, "data/1.parquet").await).starts_with("NoSuchBucket"));
    assert!(refused(put(&world, &bucket, "more").await).starts_with("NoSuchBucket"));
    world.round(&fogbank_s3::SERVICE, fogbank_tablebuckets::REMOVAL).await;
    world.round(&fogbank_s3::SERVICE, "s3.parts").await;
    assert_eq!((world.rows(&fogbank_s3::SERVICE), world.rows_under(0x02)), before);
    let left: Vec<_> = world
        .rows(&crate::SERVICE)
        .into_keys()
        .filter(|key| key.contains("warehouse") || key.contains("s3tables.tables"))
        .collect();
    assert_eq!(left, Vec::<String>::new());
}

#[tokio::test]
async fn files_are_sealed_with_the_tables_key() {
    let world = with_namespace().await;
    let key = world.call("kms:CreateKey", json!({})).await.expect("a key");
    let key = key["KeyMetadata"]["Arn"].clone();
    let encryption = json!({"sseAlgorithm": "aws:kms", "kmsKeyArn": key});
    let input = json!({"tableBucketARN": LAKE, "encryptionConfiguration": encryption});
    call(&world, "PutTableBucketEncryption", input).await.expect("set");
    let bucket = warehouse(&with_table(&world, "sealed").await);
    let told = call(&world, "GetTableEncryption", named("sealed")).await.expect("told");
    assert_eq!(told["encryptionConfiguration"], encryption);
    let written = put(&world, &bucket, "data/1.parquet").await.expect("written");
    assert_eq!(written["ServerSideEncryption"], "aws:kms");
    assert_eq!(written["SSEKMSKeyId"], key);
    assert_eq!(&*get(&world, &bucket, "data/1.parquet").await.expect("read"), b"hello");
    // KMS is told of the table and not of the file.
    let of = |context: &str| {
        json!([
            {"Effect": "Allow", "Action": "s3tables:*", "Resource": "*"},
            {"Effect": "Allow", "Action": "kms:*", "Resource": "*", "Condition": {
                "StringLike": {"kms:EncryptionContext:aws:s3:arn": context},
            }},
        ])
    };
    let writer = user(&world, "writer", Some(of(&format!("{LAKE}/table/*")))).await;
    put_as(&world, writer.clone(), &bucket, "k").await.expect("written");
    get_as(&world, writer, &bucket, "data/1.parquet").await.expect("read");
    let other = user(&world, "other", Some(of("arn:aws:s3:::*"))).await;
    assert!(put_as(&world, other, &bucket, "k").await.is_err());
    world.call("kms:DisableKey", json!({"KeyId": key})).await.expect("disabled");
    assert!(get(&world, &bucket, "data/1.parquet").await.is_err());
}
