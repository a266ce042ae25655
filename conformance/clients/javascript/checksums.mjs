// Checksums that the AWS SDK for JavaScript computes and verifies, those by XXHASH with its own package. It prints what it saw.
import {
  CompleteMultipartUploadCommand,
  CreateBucketCommand,
  CreateMultipartUploadCommand,
  GetObjectCommand,
  PutObjectCommand,
  S3Client,
  UploadPartCommand,
} from "@aws-sdk/client-s3";
import { Xxh3_128, Xxh3_64, Xxh64 } from "@aws-sdk/checksums/xxh";
import { Readable } from "node:stream";

const [Bucket] = process.argv.slice(2);
const checksumAlgorithms = { XXHASH64: Xxh64, XXHASH3: Xxh3_64, XXHASH128: Xxh3_128 };
const s3 = new S3Client({ maxAttempts: 1, checksumAlgorithms });
await s3.send(new CreateBucketCommand({ Bucket }));
const seen = {};
for (const ChecksumAlgorithm of ["CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256", "XXHASH64", "XXHASH3", "XXHASH128"]) {
  const member = `Checksum${ChecksumAlgorithm}`;
  const object = { Bucket, Key: ChecksumAlgorithm };
  const bytes = Buffer.alloc(100_000, "0123456789abcdef");
  // A stream's checksum follows it.
  const bodies = [{ Body: bytes }, { Body: Readable.from([bytes.subarray(0, 70_000), bytes.subarray(70_000)]) }];
  const told = [];
  for (const body of bodies) {
    const input = { ...object, ...body, ContentLength: bytes.length, ChecksumAlgorithm };
    told.push((await s3.send(new PutObjectCommand(input)))[member]);
    const got = await s3.send(new GetObjectCommand({ ...object, ChecksumMode: "ENABLED" }));
    told.push(got[member], Buffer.from(await got.Body.transformToByteArray()).equals(bytes));
  }
  const upload = await s3.send(new CreateMultipartUploadCommand({ ...object, ChecksumAlgorithm }));
  const at = { ...object, UploadId: upload.UploadId, PartNumber: 1 };
  const part = await s3.send(new UploadPartCommand({ ...at, Body: bytes, ChecksumAlgorithm }));
  const Parts = [{ PartNumber: 1, ETag: part.ETag, [member]: part[member] }];
  const done = await s3.send(new CompleteMultipartUploadCommand({ ...at, MultipartUpload: { Parts } }));
  const [first] = told;
  const isOne = told.every((value) => value === first || value === true) && part[member] === first;
  seen[ChecksumAlgorithm] = [isOne, done.ChecksumType, first];
}
console.log(JSON.stringify(seen));
