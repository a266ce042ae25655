//! Who may do what with table buckets, tables and their files.

use super::*;
use fogbank_testkit::expect;

/// A user of the account with a policy of its own, or none.
pub(super) async fn user(world: &World, name: &str, policy: Option<Value>) -> Principal {
    world.call("iam:CreateUser", json!({"UserName": name})).await.expect("a user");
    if let Some(statement) = policy {
        let document = json!({"Version": "2012-10-17", "Statement": statement}).to_string();
        let input = json!({"UserName": name, "PolicyName": "p", "PolicyDocument": document});
        world.call("iam:PutUserPolicy", input).await.expect("a policy");
    }
    let found = world.call("iam:GetUser", json!({"UserName": name})).await.expect("the user");
    Principal {
        kind: fogbank_core::PrincipalKind::User { name: name.to_owned() },
        account: ACCOUNT.to_owned(),
        arn: found["User"]["Arn"].as_str().expect("an ARN").to_owned(),
        id: found["User"]["UserId"].as_str().expect("an id").to_owned(),
        access_key_id: None,
        session: None,
    }
}

#[tokio::test]
async fn files_are_guarded_by_the_tables_actions() {
    let world = with_namespace().await;
    let table = with_table(&world, "orders").await;
    let bucket = warehouse(&table);
    put(&world, &bucket, "k").await.expect("written");
    let everything_in_s3 = json!({"Effect": "Allow", "Action": "s3:*", "Resource": "*"});
    let s3 = user(&world, "s3", Some(everything_in_s3)).await;
    let mut told = refused(get_as(&world, s3.clone(), &bucket, "k").await)
        .replace(table["tableARN"].as_str().expect("an ARN"), "TABLE");
    let reading = json!({
        "Effect": "Allow",
        "Action": "s3tables:GetTableData",
        "Resource": format!("{LAKE}/table/*"),
        "Condition": {"StringEquals": {
            "s3tables:namespace": "sales", "s3tables:tableName": "orders",
        }},
    });
    let reader = user(&world, "reader", Some(reading)).await;
    assert_eq!(&*get_as(&world, reader.clone(), &bucket, "k").await.expect("read"), b"hello");
    told += &refused(put_as(&world, reader.clone(), &bucket, "k").await)
        .replace(table["tableARN"].as_str().expect("an ARN"), "TABLE");
    let other = warehouse(&with_table(&world, "other").await);
    put(&world, &other, "k").await.expect("written");
    assert!(refused(get_as(&world, reader, &other, "k").await).starts_with("AccessDenied"));
    expect![[r#"
        AccessDenied: User: arn:aws:iam::000000000000:user/s3 is not authorized to perform: s3tables:GetTableData on resource: TABLE because no identity-based policy allows the s3tables:GetTableData action
        AccessDenied: User: arn:aws:iam::000000000000:user/reader is not authorized to perform: s3tables:PutTableData on resource: TABLE because no identity-based policy allows the s3tables:PutTableData action
    "#]].assert_eq(&told);
}

#[tokio::test]
async fn policies_of_bucket_and_table_let_strangers_in_and_keep_owners_out() {
    let world = with_namespace().await;
    let table = with_table(&world, "orders").await;
    let (bucket, arn) = (warehouse(&table), table["tableARN"].as_str().expect("an ARN"));
    put(&world, &bucket, "k").await.expect("written");
    let stranger = Principal::root(OTHER);
    assert!(get_as(&world, stranger.clone(), &bucket, "k").await.is_err());
    let policy = |effect: &str, action: &str, resource: &str| {
        json!({"Version": "2012-10-17", "Statement": [{
            "Effect": effect, "Principal": {"AWS": OTHER}, "Action": action, "Resource": resource,
        }]})
        .to_string()
    };
    let own = policy("Allow", "s3tables:GetTableData", arn);
    let input = with(named("orders"), json!({"resourcePolicy": own}));
    call(&world, "PutTablePolicy", input).await.expect("set");
    get_as(&world, stranger.clone(), &bucket, "k").await.expect("read");
    assert!(put_as(&world, stranger.clone(), &bucket, "k").await.is_err());
    let told = call(&world, "GetTablePolicy", named("orders")).await.expect("told");
    assert_eq!(told["resourcePolicy"], own);
    let lake = json!({"tableBucketARN": LAKE});
    let wide = policy("Deny", "s3tables:GetTableData", &format!("{LAKE}/*"));
    let input = with(lake.clone(), json!({"resourcePolicy": wide}));
    call(&world, "PutTableBucketPolicy", input).await.expect("set");
    assert!(get_as(&world, stranger.clone(), &bucket, "k").await.is_err());
    call(&world, "DeleteTablePolicy", named("orders")).await.expect("removed");
    let wide = policy("Allow", "s3tables:*", &format!("{LAKE}/*"));
    let input = with(lake.clone(), json!({"resourcePolicy": wide}));
    call(&world, "PutTableBucketPolicy", input).await.expect("set");
    put_as(&world, stranger.clone(), &bucket, "k").await.expect("written");
    world.call_as(stranger.clone(), "s3tables:GetTable", named("orders")).await.expect("told");
    let mut told = refused(call(&world, "GetTablePolicy", named("orders")).await);
    for policy in [
        "nonsense".to_owned(),
        policy("Allow", "s3:GetObject", LAKE),
        policy("Allow", "s3tables:*", "arn:aws:s3tables:us-east-1:000000000000:bucket/other"),
    ] {
        let input = with(lake.clone(), json!({"resourcePolicy": policy}));
        told += &refused(call(&world, "PutTableBucketPolicy", input).await);
    }
    call(&world, "DeleteTableBucketPolicy", lake.clone()).await.expect("removed");
    assert!(get_as(&world, stranger, &bucket, "k").await.is_err());
    told += &refused(call(&world, "GetTableBucketPolicy", lake).await);
    expect![[r#"
        NotFoundException: The specified table policy does not exist.
        BadRequestException: This policy contains invalid Json
        BadRequestException: Policy has invalid action
        BadRequestException: Policy has invalid resource
        NotFoundException: The specified bucket policy does not exist.
    "#]]
    .assert_eq(&told);
}
