// What a program with the AWS SDK for JavaScript does first. It prints one line of JSON with what it saw.
import {
  CreateTableCommand,
  DynamoDBClient,
  GetItemCommand,
  PutItemCommand,
  paginateScan,
  waitUntilTableExists,
} from "@aws-sdk/client-dynamodb";
import {
  CompleteMultipartUploadCommand,
  CreateBucketCommand,
  CreateMultipartUploadCommand,
  GetObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
  UploadPartCommand,
} from "@aws-sdk/client-s3";
import {
  CreateQueueCommand,
  DeleteMessageBatchCommand,
  ReceiveMessageCommand,
  SendMessageBatchCommand,
  SQSClient,
} from "@aws-sdk/client-sqs";
import { Upload } from "@aws-sdk/lib-storage";
import { getSignedUrl } from "@aws-sdk/s3-request-presigner";
import { Readable } from "node:stream";

const [name] = process.argv.slice(2);
const settings = { maxAttempts: 1 };
const seen = {};

const s3 = new S3Client(settings);
await s3.send(new CreateBucketCommand({ Bucket: name }));
await s3.send(new PutObjectCommand({ Bucket: name, Key: "ä b", Body: "text", Metadata: { a: "1" } }));
const streamed = Readable.from([Buffer.alloc(40_000, "x"), Buffer.alloc(40_000, "y")]);
await s3.send(new PutObjectCommand({ Bucket: name, Key: "streamed", Body: streamed, ContentLength: 80_000 }));
const got = await s3.send(new GetObjectCommand({ Bucket: name, Key: "ä b" }));
seen.text = await got.Body.transformToString();
seen.metadata = got.Metadata;
const back = await s3.send(new GetObjectCommand({ Bucket: name, Key: "streamed", Range: "bytes=39999-40000" }));
seen.range = await back.Body.transformToString();
const key = { Bucket: name, Key: "parts" };
const { UploadId } = await s3.send(new CreateMultipartUploadCommand({ ...key, ChecksumAlgorithm: "CRC32" }));
const parts = [];
for (const [at, body] of [Buffer.alloc(5 * 1024 * 1024, "p"), Buffer.from("q")].entries()) {
  const part = await s3.send(new UploadPartCommand({ ...key, UploadId, PartNumber: at + 1, Body: body }));
  parts.push({ PartNumber: at + 1, ETag: part.ETag, ChecksumCRC32: part.ChecksumCRC32 });
}
await s3.send(new CompleteMultipartUploadCommand({ ...key, UploadId, MultipartUpload: { Parts: parts } }));
// The transfer manager: a stream whose length nobody knows, in parts, several at once.
const mebibyte = Buffer.alloc(1024 * 1024, "m");
const stream = Readable.from((function* () {
  for (let number = 0; number < 12; number++) yield mebibyte;
})());
const transfer = new Upload({ client: s3, params: { Bucket: name, Key: "stream", Body: stream }, queueSize: 3 });
const transferred = await transfer.done();
const whole = await s3.send(new GetObjectCommand({ Bucket: name, Key: "stream" }));
const returned = await whole.Body.transformToByteArray();
seen.transfer = [transferred.ETag.slice(-3, -1), returned.length, returned.every((byte) => byte === 109)];
const upload = new PutObjectCommand({ Bucket: name, Key: "presigned", Metadata: { b: "2" } });
const answer = await fetch(await getSignedUrl(s3, upload), { method: "PUT", body: "by fetch" });
const download = await fetch(await getSignedUrl(s3, new GetObjectCommand({ Bucket: name, Key: "presigned" })));
seen.presigned = [answer.status, download.headers.get("x-amz-meta-b"), await download.text()];
const listed = await s3.send(new ListObjectsV2Command({ Bucket: name }));
seen.objects = listed.Contents.map((object) => [object.Key, object.Size]);
seen.missing = await s3.send(new GetObjectCommand({ Bucket: name, Key: "none" })).catch((error) => error.name);

const db = new DynamoDBClient(settings);
await db.send(
  new CreateTableCommand({
    TableName: name,
    AttributeDefinitions: [{ AttributeName: "id", AttributeType: "N" }],
    KeySchema: [{ AttributeName: "id", KeyType: "HASH" }],
    BillingMode: "PAY_PER_REQUEST",
  }),
);
await waitUntilTableExists({ client: db, maxWaitTime: 20, minDelay: 1 }, { TableName: name });
for (let id = 0; id < 5; id++) {
  await db.send(new PutItemCommand({ TableName: name, Item: { id: { N: `${id}` }, bytes: { B: new Uint8Array([id]) } } }));
}
const item = await db.send(new GetItemCommand({ TableName: name, Key: { id: { N: "3" } } }));
seen.bytes = [...item.Item.bytes.B];
seen.scanned = 0;
for await (const page of paginateScan({ client: db, pageSize: 2 }, { TableName: name })) seen.scanned += page.Items.length;
seen.conditional = await db
  .send(new PutItemCommand({ TableName: name, Item: { id: { N: "3" } }, ConditionExpression: "attribute_not_exists(id)" }))
  .catch((error) => error.name);

const sqs = new SQSClient(settings);
const { QueueUrl } = await sqs.send(new CreateQueueCommand({ QueueName: name }));
const Entries = ["a", "b", "c"].map((Id) => ({ Id, MessageBody: `body ${Id} ü` }));
await sqs.send(new SendMessageBatchCommand({ QueueUrl, Entries }));
seen.bodies = [];
while (seen.bodies.length < 3) {
  const answer = await sqs.send(new ReceiveMessageCommand({ QueueUrl, MaxNumberOfMessages: 10, WaitTimeSeconds: 5 }));
  seen.bodies.push(...answer.Messages.map((message) => message.Body));
  const handles = answer.Messages.map((message, at) => ({ Id: `${at}`, ReceiptHandle: message.ReceiptHandle }));
  await sqs.send(new DeleteMessageBatchCommand({ QueueUrl, Entries: handles }));
}
seen.bodies.sort();
seen.noQueue = await sqs
  .send(new ReceiveMessageCommand({ QueueUrl: `${QueueUrl}-none` }))
  .catch((error) => error.name);
console.log(JSON.stringify(seen));
