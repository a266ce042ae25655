// Uses S3 as programs in Java do, through AWS's SDK and its transfer manager, and says which way failed.

import java.io.ByteArrayInputStream;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.Executors;
import software.amazon.awssdk.auth.credentials.AwsBasicCredentials;
import software.amazon.awssdk.auth.credentials.StaticCredentialsProvider;
import software.amazon.awssdk.core.async.AsyncRequestBody;
import software.amazon.awssdk.core.async.AsyncResponseTransformer;
import software.amazon.awssdk.core.sync.RequestBody;
import software.amazon.awssdk.http.urlconnection.UrlConnectionHttpClient;
import software.amazon.awssdk.regions.Region;
import software.amazon.awssdk.services.s3.S3AsyncClient;
import software.amazon.awssdk.services.s3.S3Client;
import software.amazon.awssdk.services.s3.S3Configuration;
import software.amazon.awssdk.services.s3.model.ChecksumAlgorithm;
import software.amazon.awssdk.services.s3.model.ChecksumMode;
import software.amazon.awssdk.services.s3.model.NoSuchKeyException;
import software.amazon.awssdk.services.s3.model.ObjectIdentifier;
import software.amazon.awssdk.services.s3.model.S3Exception;
import software.amazon.awssdk.services.s3.model.S3Object;
import software.amazon.awssdk.services.s3.presigner.S3Presigner;
import software.amazon.awssdk.transfer.s3.S3TransferManager;
import software.amazon.awssdk.transfer.s3.model.DownloadRequest;
import software.amazon.awssdk.transfer.s3.model.UploadRequest;

public class Main {
    private static final String BUCKET = "java-sdk";
    private static final StaticCredentialsProvider ROOT =
            StaticCredentialsProvider.create(AwsBasicCredentials.create("test", "test"));

    private interface Step {
        void run() throws Exception;
    }

    private static void expect(String what, boolean holds) {
        if (!holds) {
            throw new AssertionError(what);
        }
    }

    private static byte[] random(int count) {
        byte[] all = new byte[count];
        new Random(7).nextBytes(all);
        return all;
    }

    private static void streams(S3Client client) throws Exception {
        byte[] sent = random((3 << 20) + 17);
        client.putObject(
                put -> put.bucket(BUCKET).key("a b/ü+").metadata(Map.of("colour", "red")),
                RequestBody.fromInputStream(new ByteArrayInputStream(sent), sent.length));
        try (var got = client.getObject(get -> get.bucket(BUCKET).key("a b/ü+"))) {
            expect("the metadata", "red".equals(got.response().metadata().get("colour")));
            expect("the body", Arrays.equals(got.readAllBytes(), sent));
        }
        try {
            client.getObject(get -> get.bucket(BUCKET).key("none"));
            expect("NoSuchKey", false);
        } catch (NoSuchKeyException missing) {
            expect("the status", missing.statusCode() == 404);
        }
    }

    private static void checksums(S3Client client) {
        for (ChecksumAlgorithm algorithm : List.of(
                ChecksumAlgorithm.CRC32, ChecksumAlgorithm.SHA1, ChecksumAlgorithm.SHA256)) {
            client.putObject(
                    put -> put.bucket(BUCKET).key("sum").checksumAlgorithm(algorithm),
                    RequestBody.fromBytes(random(70_000)));
            // The SDK compares the checksum while it reads.
            client.getObjectAsBytes(get -> get.bucket(BUCKET).key("sum").checksumMode(ChecksumMode.ENABLED));
        }
        try {
            client.putObject(
                    put -> put.bucket(BUCKET).key("sum")
                            .checksumSHA256("47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="),
                    RequestBody.fromString("x"));
            expect("a refusal", false);
        } catch (S3Exception refused) {
            expect("BadDigest", "BadDigest".equals(refused.awsErrorDetails().errorCode()));
        }
    }

    private static void transfers(URI endpoint) {
        byte[] sent = random((23 << 20) + 1);
        try (S3AsyncClient client = S3AsyncClient.builder().endpointOverride(endpoint)
                        .region(Region.US_EAST_1).credentialsProvider(ROOT).forcePathStyle(true)
                        .multipartEnabled(true)
                        .multipartConfiguration(parts -> parts.minimumPartSizeInBytes(5L << 20))
                        .build();
                S3TransferManager manager = S3TransferManager.builder().s3Client(client).build()) {
            // A stream of unknown length goes up in parts.
            var body = AsyncRequestBody.fromInputStream(
                    new ByteArrayInputStream(sent), null, Executors.newSingleThreadExecutor(runnable -> {
                        Thread thread = new Thread(runnable);
                        thread.setDaemon(true);
                        return thread;
                    }));
            manager.upload(UploadRequest.builder().requestBody(body)
                    .putObjectRequest(put -> put.bucket(BUCKET).key("big")).build()).completionFuture().join();
            var got = manager.download(DownloadRequest.builder()
                    .getObjectRequest(get -> get.bucket(BUCKET).key("big"))
                    .responseTransformer(AsyncResponseTransformer.toBytes()).build()).completionFuture().join();
            expect("the body", Arrays.equals(got.result().asByteArray(), sent));
        }
    }

    private static void presigned(URI endpoint) throws Exception {
        try (S3Presigner signer = S3Presigner.builder().endpointOverride(endpoint).region(Region.US_EAST_1)
                .credentialsProvider(ROOT)
                .serviceConfiguration(S3Configuration.builder().pathStyleAccessEnabled(true).build()).build()) {
            var put = signer.presignPutObject(ask -> ask.signatureDuration(Duration.ofMinutes(1))
                    .putObjectRequest(object -> object.bucket(BUCKET).key("signed")));
            var http = HttpClient.newHttpClient();
            var sent = http.send(HttpRequest.newBuilder(put.url().toURI())
                    .PUT(HttpRequest.BodyPublishers.ofString("hello")).build(), HttpResponse.BodyHandlers.ofString());
            expect("PUT: " + sent.body(), sent.statusCode() == 200);
            var get = signer.presignGetObject(ask -> ask.signatureDuration(Duration.ofMinutes(1))
                    .getObjectRequest(object -> object.bucket(BUCKET).key("signed")));
            var got = http.send(HttpRequest.newBuilder(get.url().toURI()).build(),
                    HttpResponse.BodyHandlers.ofString(StandardCharsets.UTF_8));
            expect("GET: " + got.body(), got.body().equals("hello"));
        }
    }

    private static void pages(S3Client client) {
        for (int number = 0; number < 25; number++) {
            String key = String.format("page/%03d", number);
            client.putObject(put -> put.bucket(BUCKET).key(key), RequestBody.fromString("x"));
        }
        var list = client.listObjectsV2Paginator(ask -> ask.bucket(BUCKET).prefix("page/").maxKeys(10));
        expect("3 pages", list.stream().count() == 3);
        List<ObjectIdentifier> ids = list.contents().stream().map(S3Object::key)
                .map(key -> ObjectIdentifier.builder().key(key).build()).toList();
        var gone = client.deleteObjects(ask -> ask.bucket(BUCKET).delete(delete -> delete.objects(ids)));
        expect("25 deleted", gone.deleted().size() == 25);
    }

    public static void main(String[] arguments) {
        URI endpoint = URI.create(arguments[0]);
        S3Client client = S3Client.builder().endpointOverride(endpoint).region(Region.US_EAST_1)
                .credentialsProvider(ROOT).forcePathStyle(true)
                .httpClient(UrlConnectionHttpClient.create()).build();
        client.createBucket(create -> create.bucket(BUCKET));
        Map<String, Step> steps = new java.util.LinkedHashMap<>();
        steps.put("streams", () -> streams(client));
        steps.put("checksums", () -> checksums(client));
        steps.put("transfer manager", () -> transfers(endpoint));
        steps.put("presigning", () -> presigned(endpoint));
        steps.put("paginators", () -> pages(client));
        int failed = 0;
        for (var step : steps.entrySet()) {
            try {
                step.getValue().run();
                System.out.println("ok      " + step.getKey());
            } catch (Exception | AssertionError error) {
                System.out.println("FAILED  " + step.getKey() + ": " + error);
                failed++;
            }
        }
        System.exit(failed);
    }
}
