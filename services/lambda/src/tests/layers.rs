//! Layers.

use fogbank_testkit::{Value, expect, json};

use super::{Lambda, zipped};

async fn publish(lambda: &Lambda, name: &str, word: &str) -> Value {
    let text = format!("WORD = '{word}'\n");
    let input = json!({
        "LayerName": name,
        "Content": {"ZipFile": zipped(&[("python/words.py", &text)])},
        "CompatibleRuntimes": ["python3.11"],
        "Description": word,
    });
    lambda.call("lambda:PublishLayerVersion", input).await.expect("a layer")
}

const USER: &str = "import words\ndef handler(event, context):\n    return words.WORD\n";

#[tokio::test]
async fn a_function_sees_its_layers() {
    let lambda = Lambda::new().await;
    let one = publish(&lambda, "words", "one").await;
    assert_eq!(one["LayerVersionArn"], "arn:aws:lambda:us-east-1:000000000000:layer:words:1");
    assert_eq!(one["Version"], 1);
    let more = json!({"Layers": [one["LayerVersionArn"]], "Publish": true});
    let made = lambda.python_with("user", USER, more).await.expect("a function");
    assert_eq!(made["Layers"][0]["Arn"], one["LayerVersionArn"]);
    assert_eq!(made["Layers"][0]["CodeSize"], one["Content"]["CodeSize"]);
    assert_eq!(lambda.run("user", json!({})).await, "one");

    let two = publish(&lambda, "words", "two").await;
    let update = json!({"FunctionName": "user", "Layers": [two["LayerVersionArn"]]});
    lambda.settled("user").await;
    lambda.call("lambda:UpdateFunctionConfiguration", update).await.expect("an update");
    lambda.settled("user").await;
    assert_eq!(lambda.run("user", json!({})).await, "two");
    assert_eq!(lambda.run("user:1", json!({})).await, "one");

    // Functions keep the layers that are deleted.
    let delete = |number: u32| json!({"LayerName": "words", "VersionNumber": number});
    for number in [1, 2, 2, 9] {
        lambda.call("lambda:DeleteLayerVersion", delete(number)).await.expect("an end");
    }
    lambda.cloud().blobs().sweep().expect("a sweep");
    assert_eq!(lambda.run("user", json!({})).await, "two");
    assert_eq!(publish(&lambda, "words", "three").await["Version"], 3);
}

#[tokio::test]
async fn layers_are_listed() {
    let lambda = Lambda::new().await;
    for (name, word) in [("a", "x"), ("a", "y"), ("b", "z")] {
        publish(&lambda, name, word).await;
    }
    let listed = lambda.call("lambda:ListLayers", json!({})).await.expect("layers");
    let newest: Vec<&Value> = listed["Layers"]
        .as_array()
        .expect("layers")
        .iter()
        .map(|layer| &layer["LatestMatchingVersion"]["Version"])
        .collect();
    assert_eq!(newest, [2, 1]);
    let none = json!({"CompatibleRuntime": "nodejs20.x"});
    let none = lambda.call("lambda:ListLayers", none).await.expect("no layers");
    assert_eq!(none["Layers"], json!([]));

    let page = json!({"LayerName": "a", "MaxItems": 1});
    let page = lambda.call("lambda:ListLayerVersions", page).await.expect("a page");
    assert_eq!(page["LayerVersions"][0]["Version"], 2);
    let rest = json!({"LayerName": "a", "Marker": page["NextMarker"]});
    let rest = lambda.call("lambda:ListLayerVersions", rest).await.expect("a page");
    assert_eq!(
        (&rest["LayerVersions"][0]["Version"], &rest["NextMarker"]),
        (&json!(1), &json!(null))
    );

    let by_name = json!({"LayerName": "a", "VersionNumber": 2});
    let by_name = lambda.call("lambda:GetLayerVersion", by_name).await.expect("a version");
    let by_arn = json!({"Arn": by_name["LayerVersionArn"]});
    let by_arn = lambda.call("lambda:GetLayerVersionByArn", by_arn).await.expect("a version");
    assert_eq!(by_arn, by_name);
    let request = http::Request::get(by_name["Content"]["Location"].as_str().expect("an address"))
        .header("host", "127.0.0.1:4566")
        .body(fogbank_core::Body::empty())
        .expect("a request");
    assert_eq!(lambda.http(request).await.status(), 200);
}

#[tokio::test]
async fn what_aws_refuses_is_refused() {
    let lambda = Lambda::new().await;
    for word in ["x", "y"] {
        publish(&lambda, "a", word).await;
    }
    let arn = |rest: &str| format!("arn:aws:lambda:us-east-1:000000000000:layer:{rest}");
    let mut seen = Vec::new();
    for layers in [
        json!([arn("a")]),
        json!([arn("a:9")]),
        json!([arn("nobody:1")]),
        json!([arn("a:1"), arn("a:2")]),
        json!([arn("a:1"), arn("b:1"), arn("c:1"), arn("d:1"), arn("e:1"), arn("f:1")]),
        json!(["arn:aws:lambda:eu-west-1:000000000000:layer:a:1"]),
    ] {
        let refusal = lambda.python_with("user", USER, json!({"Layers": layers})).await;
        seen.push(refusal.expect_err("refused").to_string());
    }
    for (action, input) in [
        ("lambda:GetLayerVersion", json!({"LayerName": "a", "VersionNumber": 0})),
        ("lambda:GetLayerVersion", json!({"LayerName": "a", "VersionNumber": 9})),
        ("lambda:GetLayerVersionByArn", json!({"Arn": arn("nobody:1")})),
        ("lambda:ListLayers", json!({"CompatibleRuntime": "cobol85"})),
        ("lambda:PublishLayerVersion", json!({"LayerName": "a", "Content": {}})),
        (
            "lambda:PublishLayerVersion",
            json!({"LayerName": "a", "Content": {"ZipFile": "UEs="}, "CompatibleRuntimes": ["cobol"]}),
        ),
    ] {
        let refusal = lambda.call(action, input).await.expect_err("refused");
        seen.push(refusal.to_string());
    }
    expect![[r#"
        ValidationException: 1 validation error detected: Value '[arn:aws:lambda:us-east-1:000000000000:layer:a]' at 'layers' failed to satisfy constraint: Member must satisfy constraint: [Member must have length less than or equal to 2048, Member must have length greater than or equal to 1, Member must satisfy regular expression pattern: ((arn:(aws[a-zA-Z-]*)?:lambda:(eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{1}:\d{12}:layer:[a-zA-Z0-9-_]+:[0-9]+)|(arn:[a-zA-Z0-9-]+:lambda:::awslayer:[a-zA-Z0-9-_]+))]
        InvalidParameterValueException: Layer version arn:aws:lambda:us-east-1:000000000000:layer:a:9 does not exist.
        InvalidParameterValueException: Layer version arn:aws:lambda:us-east-1:000000000000:layer:nobody:1 does not exist.
        InvalidParameterValueException: Two different versions of the same layer are not allowed to be referenced in the same function. arn:aws:lambda:us-east-1:000000000000:layer:a:1 and arn:aws:lambda:us-east-1:000000000000:layer:a:2 are versions of the same layer.
        InvalidParameterValueException: Cannot reference more than 5 layers.
        InvalidParameterValueException: Layers are not in the same region as the function. Layers are expected to be in region us-east-1.
        InvalidParameterValueException: Layer Version Cannot be less than 1
        ResourceNotFoundException: The resource you requested does not exist.
        ResourceNotFoundException: The resource you requested does not exist.
        ValidationException: 1 validation error detected: Value 'cobol85' at 'compatibleRuntime' failed to satisfy constraint: Member must satisfy enum value set: [nodejs20.x, python3.14, provided.al2023, python3.12, python3.13, nodejs24.x, nodejs22.x, java25, python3.10, python3.11, java21, ruby3.3, ruby3.4, ruby3.2, python3.8, python3.9, java17, nodejs16.x, dotnet10, dotnet8, java11, dotnet6, nodejs18.x, provided.al2, java8.al2]
        InvalidParameterValueException: Please provide a source for function code.
        ValidationException: 1 validation error detected: Value '[cobol]' at 'compatibleRuntimes' failed to satisfy constraint: Member must satisfy enum value set: [nodejs20.x, python3.14, provided.al2023, python3.12, python3.13, nodejs24.x, nodejs22.x, java25, python3.10, python3.11, java21, ruby3.3, ruby3.4, ruby3.2, python3.8, python3.9, java17, nodejs16.x, dotnet10, dotnet8, java11, dotnet6, nodejs18.x, provided.al2, java8.al2]"#]].assert_eq(&seen.join("\n"));
}
