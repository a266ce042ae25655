// Uses S3 as programs in Go do, through AWS's SDK and its transfer manager, and says which way failed.
package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/feature/s3/manager"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"
)

const bucket = "go-sdk"

var ctx = context.Background()

// random returns bytes that are not the same anywhere.
func random(count int) []byte {
	all := make([]byte, count)
	rand.New(rand.NewSource(7)).Read(all)
	return all
}

func expect(what string, holds bool) error {
	if !holds {
		return errors.New(what)
	}
	return nil
}

func read(client *s3.Client, key string) ([]byte, *s3.GetObjectOutput, error) {
	got, err := client.GetObject(ctx, &s3.GetObjectInput{
		Bucket: aws.String(bucket), Key: aws.String(key), ChecksumMode: types.ChecksumModeEnabled,
	})
	if err != nil {
		return nil, nil, err
	}
	defer got.Body.Close()
	all, err := io.ReadAll(got.Body)
	return all, got, err
}

func streams(client *s3.Client) error {
	sent := random(3<<20 + 17)
	_, err := client.PutObject(ctx, &s3.PutObjectInput{
		Bucket: aws.String(bucket), Key: aws.String("a b/ü+"), Body: bytes.NewReader(sent),
		Metadata: map[string]string{"colour": "red"}, ContentType: aws.String("text/plain"),
	})
	if err != nil {
		return err
	}
	all, got, err := read(client, "a b/ü+")
	if err != nil {
		return err
	}
	if err := expect("the body", bytes.Equal(all, sent)); err != nil {
		return err
	}
	if err := expect("the metadata", got.Metadata["colour"] == "red"); err != nil {
		return err
	}
	_, _, err = read(client, "none")
	var missing *types.NoSuchKey
	return expect("NoSuchKey", errors.As(err, &missing))
}

func checksums(client *s3.Client) error {
	for _, algorithm := range []types.ChecksumAlgorithm{"CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256"} {
		_, err := client.PutObject(ctx, &s3.PutObjectInput{
			Bucket: aws.String(bucket), Key: aws.String("sum"), Body: bytes.NewReader(random(70_000)),
			ChecksumAlgorithm: algorithm,
		})
		if err != nil {
			return fmt.Errorf("%s: %w", algorithm, err)
		}
		// The SDK compares the checksum while it reads.
		if _, _, err := read(client, "sum"); err != nil {
			return fmt.Errorf("%s: %w", algorithm, err)
		}
	}
	_, err := client.PutObject(ctx, &s3.PutObjectInput{
		Bucket: aws.String(bucket), Key: aws.String("sum"), Body: strings.NewReader("x"),
		ChecksumSHA256: aws.String("47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="),
	})
	var refused smithy.APIError
	return expect("BadDigest", errors.As(err, &refused) && refused.ErrorCode() == "BadDigest")
}

func transfers(client *s3.Client) error {
	sent := random(23<<20 + 1)
	uploader := manager.NewUploader(client, func(u *manager.Uploader) { u.PartSize = 5 << 20 })
	// A reader that cannot seek is what streams are.
	_, err := uploader.Upload(ctx, &s3.PutObjectInput{
		Bucket: aws.String(bucket), Key: aws.String("big"), Body: io.MultiReader(bytes.NewReader(sent)),
	})
	if err != nil {
		return err
	}
	got := manager.NewWriteAtBuffer(nil)
	_, err = manager.NewDownloader(client).Download(ctx, got, &s3.GetObjectInput{
		Bucket: aws.String(bucket), Key: aws.String("big"),
	})
	if err != nil {
		return err
	}
	return expect("the body", bytes.Equal(got.Bytes(), sent))
}

func presigned(client *s3.Client) error {
	signer := s3.NewPresignClient(client)
	put, err := signer.PresignPutObject(ctx, &s3.PutObjectInput{
		Bucket: aws.String(bucket), Key: aws.String("signed"),
	})
	if err != nil {
		return err
	}
	request, _ := http.NewRequest(http.MethodPut, put.URL, strings.NewReader("hello"))
	for name, values := range put.SignedHeader {
		request.Header[name] = values
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil || answer.StatusCode != 200 {
		return fmt.Errorf("PUT: %v %v", answer, err)
	}
	get, err := signer.PresignGetObject(ctx, &s3.GetObjectInput{
		Bucket: aws.String(bucket), Key: aws.String("signed"),
	}, s3.WithPresignExpires(time.Minute))
	if err != nil {
		return err
	}
	answer, err = http.Get(get.URL)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	all, _ := io.ReadAll(answer.Body)
	return expect("the presigned body", string(all) == "hello")
}

func pages(client *s3.Client) error {
	var ids []types.ObjectIdentifier
	for number := range 25 {
		key := aws.String(fmt.Sprintf("page/%03d", number))
		ids = append(ids, types.ObjectIdentifier{Key: key})
		_, err := client.PutObject(ctx, &s3.PutObjectInput{
			Bucket: aws.String(bucket), Key: key, Body: strings.NewReader("x"),
		})
		if err != nil {
			return err
		}
	}
	list := s3.NewListObjectsV2Paginator(client, &s3.ListObjectsV2Input{
		Bucket: aws.String(bucket), Prefix: aws.String("page/"), MaxKeys: aws.Int32(10),
	})
	keys, count := 0, 0
	for list.HasMorePages() {
		page, err := list.NextPage(ctx)
		if err != nil {
			return err
		}
		keys += len(page.Contents)
		count++
	}
	if err := expect("25 keys in 3 pages", keys == 25 && count == 3); err != nil {
		return err
	}
	gone, err := client.DeleteObjects(ctx, &s3.DeleteObjectsInput{
		Bucket: aws.String(bucket), Delete: &types.Delete{Objects: ids},
	})
	if err != nil {
		return err
	}
	return expect("25 deleted", len(gone.Deleted) == 25)
}

func main() {
	client := s3.New(s3.Options{
		BaseEndpoint: aws.String(os.Args[1]), Region: "us-east-1", UsePathStyle: true,
		Credentials: credentials.NewStaticCredentialsProvider("test", "test", ""),
	})
	if _, err := client.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: aws.String(bucket)}); err != nil {
		fmt.Println("FAILED  CreateBucket:", err)
		os.Exit(1)
	}
	failed := 0
	for _, step := range []struct {
		name string
		run  func(*s3.Client) error
	}{
		{"streams", streams}, {"checksums", checksums}, {"transfer manager", transfers},
		{"presigning", presigned}, {"paginators", pages},
	} {
		if err := step.run(client); err != nil {
			fmt.Printf("FAILED  %s: %v\n", step.name, err)
			failed++
		} else {
			fmt.Println("ok     ", step.name)
		}
	}
	os.Exit(failed)
}
