//! How jobs come to their end: confirmation, priorities, cancelling, failing, and being killed on the way.

use fogbank_core::Cx;
use fogbank_testkit::{expect, json};

use super::super::refused;
use super::*;
use crate::running;

async fn update(world: &World, id: &str, status: &str) -> Result<Value, Fault> {
    let input = json!({"JobId": id, "RequestedJobStatus": status, "StatusUpdateReason": "so"});
    call(world, "UpdateJobStatus", input).await
}

#[tokio::test]
async fn a_job_may_wait_until_it_is_confirmed() {
    let world = world().await;
    put(&world, "photos", "k", "x").await;
    let mut input = asked(tagging(), manifest(&world, "photos,k\n").await);
    input["ConfirmationRequired"] = true.into();
    let id = create(&world, input).await;
    assert_eq!(ended(&job(&world, &id).await).0, "New");
    round(&world).await;
    let waiting = job(&world, &id).await;
    assert_eq!(ended(&waiting), ("Suspended", [1, 0, 0]));
    assert_eq!(waiting["SuspendedCause"], "AWAITING_CONFIRMATION");
    let answer = update(&world, &id, "Ready").await.expect("confirmed");
    assert_eq!(answer["Status"], "Ready");
    round(&world).await;
    let done = job(&world, &id).await;
    assert_eq!(ended(&done), ("Complete", [1, 1, 0]));
    assert_eq!(done["StatusUpdateReason"], "so");
    let mut told = String::new();
    for status in ["Ready", "Cancelled"] {
        told += &refused(update(&world, &id, status).await);
        told += "\n";
    }
    let input = json!({"JobId": id, "Priority": 3});
    told += &refused(call(&world, "UpdateJobPriority", input).await);
    expect![[r#"
        JobStatusException: A job in the Complete state cannot be updated to Ready.
        JobStatusException: A job in the Complete state cannot be updated to Cancelled.
        BadRequestException: The priority of a job in the Complete state cannot be updated."#]]
    .assert_eq(&told);
}

#[tokio::test]
async fn what_is_cancelled_does_no_more() {
    let world = world().await;
    put(&world, "photos", "k", "x").await;
    let mut input = asked(tagging(), manifest(&world, "photos,k\n").await);
    input["ConfirmationRequired"] = true.into();
    let id = create(&world, input).await;
    round(&world).await;
    let answer = update(&world, &id, "Cancelled").await.expect("cancelled");
    assert_eq!(answer["Status"], "Cancelling");
    round(&world).await;
    assert_eq!(ended(&job(&world, &id).await), ("Cancelled", [1, 0, 0]));
    assert_eq!(tags(&world, "k").await.expect("tags"), json!([]));
    let left = world.rows(&crate::SERVICE);
    let of_work =
        |name: &&String| name.contains("chunks") || name.contains("lines") || name.contains("live");
    assert_eq!(left.keys().filter(of_work).count(), 0);
}

#[tokio::test]
async fn the_role_must_be_there_and_be_allowed() {
    let world = world().await;
    put(&world, "photos", "k", "x").await;
    let given = manifest(&world, "photos,k\n").await;
    allow(&world, &["s3:GetObject", "s3:PutObject"]).await;
    let job = done(&world, asked(tagging(), given.clone())).await;
    assert_eq!(ended(&job), ("Complete", [1, 0, 1]));
    let told = told(&world, &job).await;
    assert!(told.starts_with("photos,k,,failed,403,AccessDenied,"), "{told}");
    assert!(told.contains("assumed-role/worker/s3-batch-operations"), "{told}");
    // Without permission to write the report, or to read the manifest, the job fails as a whole.
    for (number, actions) in
        [&["s3:GetObject", "s3:PutObjectTagging"][..], &["s3:PutObject"]].into_iter().enumerate()
    {
        allow(&world, actions).await;
        let mut input = asked(tagging(), given.clone());
        input["ClientRequestToken"] = format!("token-{number}").into();
        let job = done(&world, input).await;
        assert_eq!(ended(&job).0, "Failed");
        let code = ["ReportUnwritable", "ManifestUnreadable"][number];
        assert_eq!(job["FailureReasons"][0]["FailureCode"], code);
    }
    let mut input = asked(tagging(), given);
    input["ClientRequestToken"] = "another".into();
    input["RoleArn"] = "arn:aws:iam::000000000000:role/nobody".into();
    let job = done(&world, input).await;
    assert_eq!(job["FailureReasons"][0]["FailureCode"], "AssumeRoleNotPermitted");
}

#[tokio::test]
async fn a_job_of_which_most_fails_ends_early() {
    let world = world().await;
    let lines: String = (0..1_500).map(|number| format!("photos,k{number}\n")).collect();
    let job = done(&world, asked(tagging(), manifest(&world, &lines).await)).await;
    assert_eq!(ended(&job), ("Failed", [1_500, 0, 1_000]));
    assert_eq!(job["FailureReasons"][0]["FailureCode"], "FailureThresholdExceeded");
    let told = told(&world, &job).await;
    assert_eq!(told.lines().count(), 1_000);
}

#[tokio::test]
async fn jobs_of_higher_priority_go_first() {
    let world = world().await;
    for number in 0..300 {
        put(&world, "photos", &format!("k{number}"), "x").await;
    }
    let lines: String = (0..300).map(|number| format!("photos,k{number}\n")).collect();
    let given = manifest(&world, &lines).await;
    let mut low = asked(tagging(), given.clone());
    low["Priority"] = 1.into();
    let low = create(&world, low).await;
    let mut high = asked(json!({"S3DeleteObjectTagging": {}}), given);
    high["ClientRequestToken"] = "high".into();
    let high = create(&world, high).await;
    round(&world).await;
    assert_eq!(ended(&job(&world, &low).await), ("Complete", [300, 300, 0]));
    assert_eq!(ended(&job(&world, &high).await), ("Complete", [300, 300, 0]));
    // The one of low priority came last, so that what it put is there.
    for number in [0, 299] {
        let found = tags(&world, &format!("k{number}")).await.expect("tags");
        assert_eq!(found[0]["Value"], "blue");
    }
}

#[tokio::test]
async fn what_was_done_twice_is_told_of_once() {
    let world = world().await;
    put(&world, "photos", "a", "x").await;
    let given = manifest(&world, "photos,a\nphotos,b\n").await;
    let id = create(&world, asked(tagging(), given)).await;
    let cx = Cx::background(world.cloud().clone(), "s3control", "test");
    let key = (ACCOUNT.to_owned(), cx.region().to_owned(), id.clone());
    running::tests::steps(&cx, &key).await;
    let job = job(&world, &id).await;
    assert_eq!(ended(&job), ("Complete", [2, 1, 1]));
    assert_eq!(told(&world, &job).await.lines().count(), 2);
}

#[tokio::test]
async fn what_ended_is_forgotten_after_90_days() {
    let world = world().await;
    put(&world, "photos", "k", "x").await;
    let input = asked(tagging(), manifest(&world, "photos,k\n").await);
    let id = create(&world, input.clone()).await;
    round(&world).await;
    world.clock().advance(89 * 86_400_000);
    round(&world).await;
    assert_eq!(ended(&job(&world, &id).await).0, "Complete");
    world.clock().advance(86_400_000);
    round(&world).await;
    let named = json!({"JobId": id});
    assert_eq!(refused(call(&world, "DescribeJob", named).await), "NotFoundException: No such job");
    assert_ne!(create(&world, input).await, id, "the token is forgotten, too");
}

#[tokio::test]
async fn a_reset_leaves_nothing_of_the_account() {
    let world = world().await;
    let before = world.rows(&crate::SERVICE);
    put(&world, "photos", "k", "x").await;
    let mut input = asked(tagging(), manifest(&world, "photos,k\n").await);
    input["ConfirmationRequired"] = true.into();
    create(&world, input).await;
    round(&world).await;
    world.reset(&crate::SERVICE, Some(ACCOUNT)).await;
    assert_eq!(world.rows(&crate::SERVICE), before);
}
