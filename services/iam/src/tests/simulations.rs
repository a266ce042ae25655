//! The simulator and the reports.

use fogbank_testkit::{Value, json};

use super::{allow, bad, document, good, user, world};

fn decisions(output: &Value) -> Vec<&str> {
    let results = output["EvaluationResults"].as_array().expect("results");
    results.iter().map(|result| result["EvalDecision"].as_str().expect("a decision")).collect()
}

#[tokio::test]
async fn the_simulator_decides_as_calls_are_decided() {
    let world = world();
    let mut statement = allow("s3:GetObject", "arn:aws:s3:::b/*");
    statement["Condition"] = json!({"Bool": {"aws:MultiFactorAuthPresent": "true"}});
    let policies = [
        document(statement),
        document(json!({"Effect": "Deny", "Action": "s3:DeleteObject", "Resource": "*"})),
    ];
    let input = json!({
        "PolicyInputList": policies,
        "ActionNames": ["s3:GetObject", "s3:DeleteObject", "s3:PutObject"],
        "ResourceArns": ["arn:aws:s3:::b/k"],
    });
    let output = good(&world, "SimulateCustomPolicy", input.clone()).await;
    assert_eq!(decisions(&output), ["implicitDeny", "explicitDeny", "implicitDeny"]);
    let first = &output["EvaluationResults"][0];
    assert_eq!(first["MissingContextValues"], json!(["aws:MultiFactorAuthPresent"]));
    let second = &output["EvaluationResults"][1];
    assert_eq!(second["MatchedStatements"][0]["SourcePolicyId"], "PolicyInputList.2");
    assert_eq!(second["MatchedStatements"][0]["StartPosition"]["Line"], 1);
    let mut with = input.clone();
    with["ContextEntries"] = json!([{
        "ContextKeyName": "aws:multifactorauthpresent", "ContextKeyValues": ["true"], "ContextKeyType": "boolean",
    }]);
    let output = good(&world, "SimulateCustomPolicy", with.clone()).await;
    assert_eq!(decisions(&output)[0], "allowed");
    assert_eq!(output["EvaluationResults"][0]["MissingContextValues"], json!([]));
    with["PermissionsBoundaryPolicyInputList"] = json!([document(allow("sqs:*", "*"))]);
    let output = good(&world, "SimulateCustomPolicy", with.clone()).await;
    assert_eq!(decisions(&output)[0], "implicitDeny");
    assert_eq!(
        output["EvaluationResults"][0]["PermissionsBoundaryDecisionDetail"]["AllowedByPermissionsBoundary"],
        false
    );
    let mut paged = input;
    paged["MaxItems"] = json!(2);
    let first = good(&world, "SimulateCustomPolicy", paged.clone()).await;
    assert_eq!((decisions(&first).len(), &first["IsTruncated"]), (2, &json!(true)));
    paged["Marker"] = first["Marker"].clone();
    assert_eq!(decisions(&good(&world, "SimulateCustomPolicy", paged).await).len(), 1);
    let nonsense = json!({"PolicyInputList": ["{}"], "ActionNames": ["s3:GetObject"]});
    assert!(bad(&world, "SimulateCustomPolicy", nonsense).await.starts_with("InvalidInput"));
}

#[tokio::test]
async fn principals_bring_their_policies() {
    let world = world();
    let ann = user(&world, "ann", allow("s3:*", "arn:aws:s3:::${aws:username}/*")).await;
    good(&world, "CreateGroup", json!({"GroupName": "g"})).await;
    good(&world, "AddUserToGroup", json!({"GroupName": "g", "UserName": "ann"})).await;
    let managed = "arn:aws:iam::aws:policy/AmazonSQSReadOnlyAccess";
    good(&world, "AttachGroupPolicy", json!({"GroupName": "g", "PolicyArn": managed})).await;
    let input = json!({
        "PolicySourceArn": ann.arn, "ActionNames": ["s3:GetObject", "sqs:ReceiveMessage", "sqs:GetQueueUrl"],
        "ResourceArns": ["arn:aws:s3:::ann/x"],
    });
    let output = good(&world, "SimulatePrincipalPolicy", input).await;
    assert_eq!(decisions(&output), ["allowed", "implicitDeny", "allowed"]);
    let keys = json!({"PolicySourceArn": ann.arn});
    let keys = good(&world, "GetContextKeysForPrincipalPolicy", keys).await;
    assert_eq!(keys["ContextKeyNames"], json!(["aws:username"]));
    let granting = json!({"Arn": ann.arn, "ServiceNamespaces": ["sqs", "s3", "sns"]});
    let granting = good(&world, "ListPoliciesGrantingServiceAccess", granting).await;
    let lists = &granting["PoliciesGrantingServiceAccess"];
    assert_eq!(lists[0]["Policies"][0]["PolicyArn"], managed);
    assert_eq!(
        lists[1]["Policies"],
        json!([{"PolicyName": "own", "PolicyType": "INLINE", "EntityType": "USER", "EntityName": "ann"}])
    );
    assert_eq!(lists[2]["Policies"], json!([]));
}

#[tokio::test]
async fn reports_know_who_used_what() {
    let world = world();
    let ann = user(&world, "ann", allow("iam:ListUsers", "*")).await;
    world.call_as(ann.clone(), "iam:ListUsers", json!({})).await.expect("allowed");
    let job = json!({"Arn": ann.arn});
    let job = good(&world, "GenerateServiceLastAccessedDetails", job).await;
    let id = json!({"JobId": job["JobId"]});
    let before = good(&world, "GetServiceLastAccessedDetails", id.clone()).await;
    world.round(&crate::SERVICE, "iam.last-uses").await;
    let after = good(&world, "GetServiceLastAccessedDetails", id.clone()).await;
    assert_eq!(before, after, "written or not");
    let services = after["ServicesLastAccessed"].as_array().expect("services");
    assert_eq!(services.len(), 1);
    assert_eq!(services[0]["ServiceNamespace"], "iam");
    assert_eq!(services[0]["LastAuthenticatedEntity"], ann.arn);
    assert_eq!(services[0]["TotalAuthenticatedEntities"], 1);
    let who = json!({"JobId": job["JobId"], "ServiceNamespace": "iam"});
    let who = good(&world, "GetServiceLastAccessedDetailsWithEntities", who).await;
    assert_eq!(who["EntityDetailsList"][0]["EntityInfo"]["Name"], "ann");
}

#[tokio::test]
async fn the_credential_report_lives_four_hours() {
    let world = world();
    user(&world, "ann", allow("s3:*", "*")).await;
    good(&world, "CreateAccessKey", json!({"UserName": "ann"})).await;
    assert!(
        bad(&world, "GetCredentialReport", json!({})).await.starts_with("CredentialReportNotP")
    );
    let first = good(&world, "GenerateCredentialReport", json!({})).await;
    assert_eq!(first["State"], "STARTED");
    assert_eq!(good(&world, "GenerateCredentialReport", json!({})).await["State"], "COMPLETE");
    let report = good(&world, "GetCredentialReport", json!({})).await;
    assert_eq!(report["ReportFormat"], "text/csv");
    let row = world.rows(&crate::SERVICE);
    let (_, bytes) =
        row.iter().find(|(key, _)| key.starts_with("iam.credential-r")).expect("a row");
    let text = String::from_utf8_lossy(bytes);
    assert!(text.contains("user,arn,user_creation_time,password_enabled"), "{text}");
    let line = "ann,arn:aws:iam::000000000000:user/ann,2026-01-01T00:00:00+00:00,false,N/A,N/A,N/A,false,true,\
                2026-01-01T00:00:00+00:00,N/A,N/A,N/A,false,N/A,N/A,N/A,N/A,false,N/A,false,N/A";
    assert!(text.contains(line), "{text}");
    world.clock().advance(4 * 3_600_000);
    assert!(bad(&world, "GetCredentialReport", json!({})).await.starts_with("CredentialReportExp"));
    assert_eq!(good(&world, "GenerateCredentialReport", json!({})).await["State"], "STARTED");
}

#[tokio::test]
async fn details_come_in_pages_and_by_kind() {
    let world = world();
    for name in ["a", "b", "c"] {
        user(&world, name, allow("s3:*", "*")).await;
    }
    good(&world, "CreateGroup", json!({"GroupName": "g"})).await;
    let managed = "arn:aws:iam::aws:policy/AmazonS3FullAccess";
    good(&world, "AttachGroupPolicy", json!({"GroupName": "g", "PolicyArn": managed})).await;
    let (mut seen, mut marker) = (Vec::new(), Value::Null);
    loop {
        let mut input = json!({"MaxItems": 2});
        if !marker.is_null() {
            input["Marker"] = marker;
        }
        let page = good(&world, "GetAccountAuthorizationDetails", input).await;
        for (list, name) in [
            ("UserDetailList", "UserName"),
            ("GroupDetailList", "GroupName"),
            ("Policies", "PolicyName"),
        ] {
            let items = page[list].as_array().into_iter().flatten();
            seen.extend(items.map(|item| item[name].as_str().unwrap_or_default().to_owned()));
        }
        if page["IsTruncated"] == false {
            break;
        }
        marker = page["Marker"].clone();
    }
    assert_eq!(seen, ["a", "b", "c", "g", "AmazonS3FullAccess"]);
    let filter = json!({"Filter": ["Group"]});
    let only = good(&world, "GetAccountAuthorizationDetails", filter).await;
    assert_eq!(only["UserDetailList"], json!([]));
    assert_eq!(only["GroupDetailList"][0]["AttachedManagedPolicies"][0]["PolicyArn"], managed);
}
