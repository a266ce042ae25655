//! Uses S3 as programs in Rust do, through AWS's SDK and its transfer manager, and says which way failed.

use std::error::Error;
use std::time::Duration;

use aws_sdk_s3::config::{Credentials, Region};
use aws_sdk_s3::error::ProvideErrorMetadata;
use aws_sdk_s3::presigning::PresigningConfig;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{
    ChecksumAlgorithm, ChecksumMode, CompletedMultipartUpload, CompletedPart, Delete,
    ObjectIdentifier,
};
use aws_sdk_s3::{Client, Config};
use aws_sdk_s3_transfer_manager::io::InputStream;
use aws_sdk_s3_transfer_manager::types::PartSize;

type Outcome = Result<(), Box<dyn Error + Send + Sync>>;

const BUCKET: &str = "rust-sdk";
const MIB: usize = 1 << 20;

/// Bytes that are not the same anywhere.
fn bytes(len: usize) -> Vec<u8> {
    let mut state = 7_u64;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 56) as u8
    };
    (0..len).map(|_| next()).collect()
}

async fn streams(client: &Client) -> Outcome {
    let sent = bytes(3 * MIB + 17);
    let put = client.put_object().bucket(BUCKET).key("a b/ü+").body(ByteStream::from(sent.clone()));
    put.metadata("colour", "red").content_type("text/plain").send().await?;
    let got = client.get_object().bucket(BUCKET).key("a b/ü+").send().await?;
    assert_eq!(got.content_type(), Some("text/plain"));
    assert_eq!(got.metadata().and_then(|all| all.get("colour")).map(String::as_str), Some("red"));
    assert!(got.body.collect().await?.into_bytes() == sent);
    let part = client.get_object().bucket(BUCKET).key("a b/ü+").range("bytes=5-9").send().await?;
    assert_eq!(&part.body.collect().await?.into_bytes()[..], &sent[5..10]);
    let missing = client.get_object().bucket(BUCKET).key("none").send().await;
    assert!(missing.is_err_and(|error| error.into_service_error().is_no_such_key()));
    Ok(())
}

async fn checksums(client: &Client) -> Outcome {
    let all = [
        ChecksumAlgorithm::Crc32,
        ChecksumAlgorithm::Crc32C,
        ChecksumAlgorithm::Crc64Nvme,
        ChecksumAlgorithm::Sha1,
        ChecksumAlgorithm::Sha256,
    ];
    for algorithm in all {
        let body = ByteStream::from(bytes(70_000));
        let put = client.put_object().bucket(BUCKET).key("sum").body(body);
        put.checksum_algorithm(algorithm.clone()).send().await?;
        let get = client.get_object().bucket(BUCKET).key("sum");
        let got = get.checksum_mode(ChecksumMode::Enabled).send().await?;
        let told = match algorithm {
            ChecksumAlgorithm::Crc32 => got.checksum_crc32(),
            ChecksumAlgorithm::Crc32C => got.checksum_crc32_c(),
            ChecksumAlgorithm::Crc64Nvme => got.checksum_crc64_nvme(),
            ChecksumAlgorithm::Sha1 => got.checksum_sha1(),
            _ => got.checksum_sha256(),
        };
        assert!(told.is_some(), "{algorithm:?}");
        // The SDK compares the checksum while it reads.
        assert_eq!(got.body.collect().await?.into_bytes().len(), 70_000);
    }
    let put = client.put_object().bucket(BUCKET).key("sum").body(ByteStream::from_static(b"x"));
    let wrong = put.checksum_sha256("47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=").send().await;
    let code = wrong.err().and_then(|error| error.code().map(str::to_owned));
    assert_eq!(code.as_deref(), Some("BadDigest"));
    Ok(())
}

async fn multipart(client: &Client) -> Outcome {
    let sent = bytes(11 * MIB);
    let create = client.create_multipart_upload().bucket(BUCKET).key("parts");
    let upload = create.checksum_algorithm(ChecksumAlgorithm::Crc32).send().await?;
    let id = upload.upload_id().ok_or("no id")?;
    let mut parts = Vec::new();
    for (number, piece) in (1..).zip(sent.chunks(5 * MIB)) {
        let part =
            client.upload_part().bucket(BUCKET).key("parts").upload_id(id).part_number(number);
        let part = part.checksum_algorithm(ChecksumAlgorithm::Crc32);
        let part = part.body(ByteStream::from(piece.to_vec())).send().await?;
        parts.push(
            CompletedPart::builder()
                .part_number(number)
                .set_e_tag(part.e_tag().map(str::to_owned))
                .set_checksum_crc32(part.checksum_crc32().map(str::to_owned))
                .build(),
        );
    }
    let parts = CompletedMultipartUpload::builder().set_parts(Some(parts)).build();
    let complete = client.complete_multipart_upload().bucket(BUCKET).key("parts").upload_id(id);
    let done = complete.multipart_upload(parts).send().await?;
    assert!(done.e_tag().is_some_and(|tag| tag.ends_with("-3\"")));
    assert!(done.checksum_crc32().is_some_and(|sum| sum.ends_with("-3")));
    let got = client.get_object().bucket(BUCKET).key("parts").send().await?;
    assert!(got.body.collect().await?.into_bytes() == sent);
    Ok(())
}

async fn transfers(client: &Client) -> Outcome {
    let config = aws_sdk_s3_transfer_manager::Config::builder()
        .client(client.clone())
        .part_size(PartSize::Target(5 * MIB as u64))
        .multipart_threshold(PartSize::Target(8 * MIB as u64))
        .build();
    let manager = aws_sdk_s3_transfer_manager::Client::new(config);
    let sent = bytes(23 * MIB + 1);
    let upload = manager.upload().bucket(BUCKET).key("big").body(InputStream::from(sent.clone()));
    upload.initiate()?.join().await?;
    let head = client.head_object().bucket(BUCKET).key("big").send().await?;
    assert!(head.e_tag().is_some_and(|tag| tag.contains('-')), "{head:?}");
    let mut download = manager.download().bucket(BUCKET).key("big").initiate()?;
    let mut got = Vec::new();
    while let Some(chunk) = download.body_mut().next().await {
        got.extend_from_slice(&chunk?.data.into_contiguous());
    }
    assert!(got == sent);
    Ok(())
}

async fn presigned(client: &Client) -> Outcome {
    let lasting = PresigningConfig::expires_in(Duration::from_secs(60))?;
    let put = client.put_object().bucket(BUCKET).key("signed").presigned(lasting.clone()).await?;
    let get = client.get_object().bucket(BUCKET).key("signed").presigned(lasting).await?;
    curl(&["-X", "PUT", "--data-binary", "hello", "-H", "content-type:", put.uri()])?;
    assert_eq!(curl(&[get.uri()])?, "hello");
    let forged = get.uri().replace("Signature=", "Signature=0");
    assert!(curl(&[&forged]).is_err());
    Ok(())
}

/// What a program without an SDK does with a URL.
fn curl(arguments: &[&str]) -> Result<String, Box<dyn Error + Send + Sync>> {
    let output = std::process::Command::new("curl").args(["-sSf"]).args(arguments).output()?;
    match output.status.success() {
        true => Ok(String::from_utf8(output.stdout)?),
        false => Err(String::from_utf8_lossy(&output.stderr).into()),
    }
}

async fn pages(client: &Client) -> Outcome {
    for number in 0..25 {
        let put = client.put_object().bucket(BUCKET).key(format!("page/{number:03}"));
        put.body(ByteStream::from_static(b"x")).send().await?;
    }
    let list = client.list_objects_v2().bucket(BUCKET).prefix("page/").into_paginator();
    let mut pages = list.page_size(10).send();
    let (mut keys, mut count) = (Vec::new(), 0);
    while let Some(page) = pages.next().await {
        let page = page?;
        keys.extend(page.contents().iter().filter_map(|object| object.key().map(str::to_owned)));
        count += 1;
    }
    assert_eq!((keys.len(), count), (25, 3));
    let ids = keys.iter().map(|key| ObjectIdentifier::builder().key(key).build());
    let delete = Delete::builder().set_objects(Some(ids.collect::<Result<_, _>>()?)).build()?;
    let deleted = client.delete_objects().bucket(BUCKET).delete(delete).send().await?;
    assert_eq!(deleted.deleted().len(), 25);
    Ok(())
}

#[tokio::main]
async fn main() -> Outcome {
    let endpoint = std::env::args().nth(1).ok_or("an endpoint is missing")?;
    let config = Config::builder()
        .behavior_version_latest()
        .endpoint_url(endpoint)
        .force_path_style(true)
        .region(Region::new("us-east-1"))
        .credentials_provider(Credentials::new("test", "test", None, None, "test"))
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .build();
    let client = Client::from_conf(config);
    client.create_bucket().bucket(BUCKET).send().await?;
    let mut failed = 0;
    let outcomes = [
        ("streams", streams(&client).await),
        ("checksums", checksums(&client).await),
        ("multipart", multipart(&client).await),
        ("transfer manager", transfers(&client).await),
        ("presigning", presigned(&client).await),
        ("paginators", pages(&client).await),
    ];
    for (name, outcome) in outcomes {
        match outcome {
            Ok(()) => println!("ok      {name}"),
            Err(error) => {
                println!("FAILED  {name}: {error:?}");
                failed += 1;
            }
        }
    }
    std::process::exit(failed)
}
