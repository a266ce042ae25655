//! Prints what a decision costs: `cargo run --release -p fogbank-policy --example timing`.

use std::hint::black_box;
use std::time::Instant;

use fogbank_policy::{
    Attached, Call, Caller, ContextMap, Document, Kind, Policies, ResourceSide, evaluate,
};

const ROUNDS: u32 = 1_000_000;

fn parse(statement: &str, kind: Kind) -> Document {
    let json = format!(r#"{{"Version": "2012-10-17", "Statement": {statement}}}"#);
    Document::parse(&json, kind).expect("the policies of this example are well-formed")
}

#[expect(clippy::print_stdout, reason = "printing is what it is for")]
fn measure(name: &str, call: &Call<'_>, policies: &Policies<'_>) {
    let start = Instant::now();
    let mut allowed = 0;
    for _ in 0..ROUNDS {
        allowed += u32::from(evaluate(black_box(call), black_box(policies)).is_allowed());
    }
    let nanoseconds = start.elapsed().as_nanos() / u128::from(ROUNDS);
    let outcome = if allowed == ROUNDS { "allowed" } else { "denied" };
    println!("{name:<40} {nanoseconds:>6} ns  {outcome}");
}

fn main() {
    let mut documents: Vec<Document> = ["sqs", "sns", "lambda", "logs", "dynamodb", "ec2", "kms", "iam"]
        .iter()
        .map(|service| {
            let statement = format!(
                r#"[{{"Effect": "Allow", "Action": ["{service}:Get*", "{service}:List*", "{service}:Describe*"],
                      "Resource": "arn:aws:{service}:*:111122223333:*"}},
                    {{"Effect": "Deny", "Action": "{service}:Delete*", "Resource": "*"}}]"#
            );
            parse(&statement, Kind::Identity)
        })
        .collect();
    documents.push(parse(
        r#"{"Effect": "Deny", "Action": "*", "Resource": "*",
            "Condition": {"NotIpAddress": {"aws:SourceIp": ["10.0.0.0/8", "127.0.0.1/32"]}}}"#,
        Kind::Identity,
    ));
    documents.push(parse(
        r#"{"Effect": "Allow", "Action": ["s3:GetObject", "s3:PutObject"],
            "Resource": "arn:aws:s3:::photos/${aws:username}/*"}"#,
        Kind::Identity,
    ));
    let bucket_policy = parse(
        r#"{"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": "arn:aws:s3:::photos/*",
            "Condition": {"Bool": {"aws:SecureTransport": "false"}}}"#,
        Kind::Resource,
    );
    let attached: Vec<Attached<'_>> =
        documents.iter().map(|document| Attached { source: "policy", document }).collect();
    let mut context = ContextMap::new();
    context.set("aws:SourceIp", "127.0.0.1").set("aws:SecureTransport", "true");
    let bob = Caller::user("111122223333", "arn:aws:iam::111122223333:user/bob", "AIDABOB");
    let root = Caller::root("111122223333");
    let mut call = Call {
        action: "s3:GetObject",
        resource: "arn:aws:s3:::photos/bob/2024/cat.jpg",
        principal: &bob,
        context: &context,
    };
    let one = Policies { identity: &attached[9..], ..Policies::default() };
    let ten = Policies { identity: &attached, ..Policies::default() };
    let source = "bucket policy";
    let policy = Some(Attached { source, document: &bucket_policy });
    let side = ResourceSide { owner: "111122223333", policy, grants: &[] };
    measure("one policy with a variable", &call, &one);
    measure("ten policies", &call, &ten);
    measure("ten policies and a bucket policy", &call, &Policies { resource: Some(side), ..ten });
    measure("no policy", &call, &Policies::default());
    call.principal = &root;
    measure("root", &call, &Policies::default());
}
