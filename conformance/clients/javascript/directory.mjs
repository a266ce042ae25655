// Directory buckets of S3, whose sessions the SDK creates by itself.
import {
  S3Client,
  CreateBucketCommand,
  DeleteBucketCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  ListDirectoryBucketsCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  RenameObjectCommand,
} from "@aws-sdk/client-s3";
const s3 = new S3Client({ forcePathStyle: true });
const Bucket = process.argv[2];
await s3.send(new CreateBucketCommand({ Bucket, CreateBucketConfiguration: { Location: { Type: "AvailabilityZone", Name: "use1-az4" }, Bucket: { Type: "Directory", DataRedundancy: "SingleAvailabilityZone" } } }));
const listed = await s3.send(new ListDirectoryBucketsCommand({}));
await s3.send(new PutObjectCommand({ Bucket, Key: "a/k", Body: "one" }));
const put = await s3.send(new PutObjectCommand({ Bucket, Key: "a/k", Body: "two", WriteOffsetBytes: 3 }));
await s3.send(new RenameObjectCommand({ Bucket, Key: "a/n", RenameSource: "a/k" }));
const got = await s3.send(new GetObjectCommand({ Bucket, Key: "a/n" }));
const page = await s3.send(new ListObjectsV2Command({ Bucket, Delimiter: "/" }));
const body = await got.Body.transformToString();
await s3.send(new DeleteObjectCommand({ Bucket, Key: "a/n" }));
await s3.send(new DeleteBucketCommand({ Bucket }));
console.log(JSON.stringify({ buckets: listed.Buckets.map((b) => b.Name), size: put.Size, body, prefixes: page.CommonPrefixes }));
