//! Bodies on their way in: stored while they are hashed, and held against what the request promised.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use fogbank_core::bytes::{Bytes, BytesMut};
use fogbank_core::store::{BlobRef, BlobWriter};
use fogbank_core::wire::{BodyError, Trailers};
use fogbank_core::{Body, Cx, Fault};
use sha1::Digest;

use crate::checksums::{Algorithm, Checksum, Checksums, Hasher};
use crate::ciphers::{BodyKey, Nonce, Reader, Sealer, Stretch};
use crate::error::Error;
use crate::rules::MAX_UPLOAD_BYTES;
use crate::store::{Chain, Stored};

/// The largest body that is collected in memory and stored in the object's row.
const INLINE_BYTES: u64 = 16 << 10;

/// Stands for the length of a form's file, which is known only at its end. No client can say it.
pub(crate) const FORM_LENGTH: i64 = -1;

/// What a request says of its body beforehand.
#[derive(Debug, Default)]
pub(crate) struct Promise {
    md5: Option<String>,
    checksum: Option<(Algorithm, Vec<u8>)>,
    /// The algorithm of the checksum that follows the body, or that is wanted without a promise.
    algorithm: Option<Algorithm>,
    /// Whether a digest comes before the body or may follow it.
    has_digest: bool,
}

/// A body that was stored, and its hashes.
#[derive(Debug)]
pub(crate) struct Received {
    pub(crate) body: Chain,
    pub(crate) size: u64,
    /// What the ETag shows: the MD5, or what hides it if the body is encrypted with somebody's key.
    pub(crate) md5: [u8; 16],
    pub(crate) crc64nvme: u64,
    pub(crate) checksum: Checksum,
    /// Whether the client named the checksum.
    pub(crate) is_promised: bool,
    /// What belongs to the key of a customer or of KMS, if one encrypts the body.
    pub(crate) nonce: Option<Nonce>,
}

/// A body of one blob, and what belongs to the key of a customer or of KMS.
fn sealed(blob: BlobRef, stretch: Stretch) -> (Chain, Option<Nonce>) {
    match stretch {
        Stretch::Plain => (Chain::of(blob, None), None),
        Stretch::Keyed(nonce) => (Chain::of(blob, None), Some(nonce)),
        Stretch::Managed(nonce) => (Chain::of(blob, Some(nonce)), None),
    }
}

impl Received {
    /// Hides the MD5 of what somebody's key encrypts: as on AWS, such ETags say nothing of the bytes.
    fn hide_md5(&mut self) {
        if let Some(nonce) = &self.nonce {
            let hidden = sha2::Sha256::new().chain_update(nonce).chain_update(self.md5).finalize();
            self.md5.copy_from_slice(&hidden[..16]);
        }
    }
}

impl Promise {
    /// Reads the promises of PutObject or UploadPart.
    pub(crate) fn read(
        input: &impl Checksums,
        body: &Body,
        content_md5: Option<&str>,
        algorithm: Option<&str>,
    ) -> Result<Promise, Error> {
        if let Some(digest) = content_md5
            && Algorithm::Md5.parse(digest).is_none()
        {
            return Err(Error::InvalidDigest { digest: digest.to_owned() });
        }
        let algorithm = algorithm.map(named).transpose()?;
        let checksum = promised(input, algorithm)?;
        if algorithm.is_some() && checksum.is_none() && body.trailers().is_none() {
            let message = "x-amz-sdk-checksum-algorithm specified, but no corresponding x-amz-checksum-* or x-amz-trailer headers were found.";
            return Err(Error::request(message));
        }
        let md5 = content_md5.map(ToOwned::to_owned);
        let has_digest = md5.is_some() || checksum.is_some() || body.trailers().is_some();
        Ok(Promise { md5, checksum, algorithm, has_digest })
    }

    /// Refuses a client's body that will be locked, if nothing says what its bytes must be.
    pub(crate) fn check_lock(&self, cx: &Cx, locks: bool, requests: &str) -> Result<(), Error> {
        if self.has_digest || !locks || cx.request().source_ip.is_none() {
            return Ok(());
        }
        Err(Error::request(format!(
            "Content-MD5 OR x-amz-checksum- HTTP header is required for {requests} requests with Object Lock parameters"
        )))
    }

    /// Also wishes for a checksum, if the client has named none.
    pub(crate) fn or_wish(mut self, algorithm: Option<Algorithm>) -> Promise {
        if self.checksum.is_none() && self.algorithm.is_none() {
            self.algorithm = algorithm;
        }
        self
    }

    /// The algorithm that the client named before the body.
    pub(crate) fn algorithm(&self) -> Option<Algorithm> {
        self.checksum.as_ref().map(|(algorithm, _)| *algorithm).or(self.algorithm)
    }
}

/// The algorithm of a `ChecksumAlgorithm`.
pub(crate) fn named(name: &str) -> Result<Algorithm, Error> {
    Algorithm::from_name(name).ok_or_else(|| Error::request(Algorithm::unsupported()))
}

/// The one checksum among a request's headers.
pub(crate) fn promised(
    input: &impl Checksums,
    algorithm: Option<Algorithm>,
) -> Result<Option<(Algorithm, Vec<u8>)>, Error> {
    let given = input.checksums();
    let (found, value) = match given[..] {
        [] => return Ok(None),
        [one] => one,
        _ => {
            let message = "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.";
            return Err(Error::request(message));
        }
    };
    if algorithm.is_some_and(|algorithm| algorithm != found) {
        let message = "Value for x-amz-sdk-checksum-algorithm header is invalid.";
        return Err(Error::request(message));
    }
    let bytes = found.parse(value).ok_or_else(|| invalid(found, "header"))?;
    Ok(Some((found, bytes)))
}

/// A value that is no checksum of its algorithm.
pub(crate) fn invalid(algorithm: Algorithm, kind: &str) -> Error {
    let name = algorithm.lower_name();
    Error::request(format!("Value for x-amz-checksum-{name} {kind} is invalid."))
}

fn incomplete(error: BodyError) -> Error {
    let message = Error::IncompleteBody.to_string();
    Error::Fault(Fault::of_body(error, "IncompleteBody", &message))
}

/// Stores a client's body and checks every promise. Nothing stays of a body that breaks one.
///
/// `told` is the length that the client told; a client outside of the cloud must, even of an empty body.
pub(crate) async fn receive(
    cx: &Cx,
    body: Body,
    told: Option<i64>,
    promise: Promise,
    sealer: Sealer,
) -> Result<Received, Error> {
    if told == Some(FORM_LENGTH) {
        let key = sealer.key.clone();
        let mut received = of_form(cx, body, promise.algorithm(), sealer).await?;
        check(cx, &mut received, promise, None, key.as_ref()).await?;
        received.hide_md5();
        return Ok(received);
    }
    // Whoever sends chunks told how many bytes are in them: minio-go so sends what is empty, without `Content-Length`.
    let stated = cx.request().signature.as_ref().and_then(|made| made.content_sha256.as_deref());
    let is_told = told.is_some()
        || cx.request().source_ip.is_none()
        || body.trailers().is_some()
        || stated.is_some_and(|stated| stated.starts_with("STREAMING-"));
    if !is_told && body.is_empty() {
        return Err(Error::MissingContentLength);
    }
    // The length of chunks is known only at their end.
    let Some(len) = body.len() else { return Err(Error::header("Transfer-Encoding", "")) };
    if len > MAX_UPLOAD_BYTES {
        let (size, limit) = (len.to_string(), MAX_UPLOAD_BYTES.to_string());
        return Err(Error::EntityTooLarge { size, limit });
    }
    let trailers = body.trailers();
    // What the signature covers is computed on the way here already.
    let signed = body.sha256().filter(|_| promise.algorithm() == Some(Algorithm::Sha256));
    let algorithm = promise.algorithm().filter(|_| signed.is_none());
    let key = sealer.key.clone();
    let mut received = if len <= INLINE_BYTES {
        whole(body, len, algorithm, sealer).await?
    } else {
        stream(cx, body, len, algorithm, sealer).await?
    };
    if let Some(sha256) = signed {
        received.checksum = Checksum::full(Algorithm::Sha256, sha256.to_vec());
    }
    if received.size != len {
        return Err(Error::IncompleteBody);
    }
    check(cx, &mut received, promise, trailers, key.as_ref()).await?;
    received.hide_md5();
    Ok(received)
}

/// Stores a client's text of at least one byte and at most `limit`, which must be UTF-8, and checks every promise.
pub(crate) async fn receive_text(
    cx: &Cx,
    body: Body,
    promise: Promise,
    sealer: Sealer,
    limit: u64,
) -> Result<Received, Error> {
    let too_large = |size: u64| {
        let (size, limit) = (size.to_string(), limit.to_string());
        Error::EntityTooLarge { size, limit }
    };
    let Some(len) = body.len() else { return Err(Error::header("Transfer-Encoding", "")) };
    if len > limit {
        return Err(too_large(len));
    }
    let trailers = body.trailers();
    let most = usize::try_from(len).unwrap_or(usize::MAX).saturating_add(1);
    let bytes = body.collect(most).await.map_err(incomplete)?;
    if bytes.len() as u64 != len {
        return Err(Error::IncompleteBody);
    }
    if bytes.is_empty() {
        return Err(Error::request("The payload must have at least one byte."));
    }
    if std::str::from_utf8(&bytes).is_err() {
        return Err(Error::UnsupportedMediaType);
    }
    let key = sealer.key.clone();
    let mut received = if len <= INLINE_BYTES {
        of_bytes(bytes, promise.algorithm(), sealer)
    } else {
        let mut writer = cx.blobs().writer(Some(len));
        let mut hashes = Hashes::new(cx, promise.algorithm(), sealer);
        writer.write(hashes.update(bytes).await).await?;
        stored(writer, hashes).await?
    };
    check(cx, &mut received, promise, trailers, key.as_ref()).await?;
    received.hide_md5();
    Ok(received)
}

/// The file of a form, whose length shows only at its end.
async fn of_form(
    cx: &Cx,
    mut body: Body,
    algorithm: Option<Algorithm>,
    sealer: Sealer,
) -> Result<Received, Error> {
    let mut head = BytesMut::new();
    while head.len() as u64 <= INLINE_BYTES {
        match body.next().await {
            Some(frame) => head.extend_from_slice(&frame.map_err(incomplete)?),
            None => return Ok(of_bytes(head.freeze(), algorithm, sealer)),
        }
    }
    let mut writer = cx.blobs().writer(None);
    let mut hashes = Hashes::new(cx, algorithm, sealer);
    let mut next = Some(Ok(head.freeze()));
    while let Some(frame) = next {
        writer.write(hashes.update(frame.map_err(incomplete)?).await).await?;
        if writer.len() > MAX_UPLOAD_BYTES {
            let (size, limit) = (writer.len().to_string(), MAX_UPLOAD_BYTES.to_string());
            return Err(Error::EntityTooLarge { size, limit });
        }
        next = body.next().await;
    }
    stored(writer, hashes).await
}

/// A small body, which the row will hold.
async fn whole(
    body: Body,
    len: u64,
    algorithm: Option<Algorithm>,
    sealer: Sealer,
) -> Result<Received, Error> {
    // One byte more than promised is enough to find out.
    let limit = usize::try_from(len).unwrap_or(usize::MAX).saturating_add(1);
    let bytes = body.collect(limit).await.map_err(incomplete)?;
    Ok(of_bytes(bytes, algorithm, sealer))
}

/// The hashes of a small body in memory.
pub(crate) fn of_bytes(bytes: Bytes, algorithm: Option<Algorithm>, mut sealer: Sealer) -> Received {
    let md5: [u8; 16] = md5::Md5::digest(&bytes).into();
    let size = bytes.len() as u64;
    let crc64nvme = BlobRef::inline(bytes.clone()).crc64nvme();
    let checksum = match algorithm {
        None | Some(Algorithm::Crc64Nvme) => Checksum::crc64nvme(crc64nvme),
        Some(Algorithm::Md5) => Checksum::full(Algorithm::Md5, md5.to_vec()),
        Some(algorithm) => Checksum::full(algorithm, algorithm.of(&bytes)),
    };
    let (body, nonce) = sealed(BlobRef::inline(sealer.seal(&bytes)), sealer.stretch());
    Received { body, size, md5, crc64nvme, checksum, is_promised: false, nonce }
}

/// The hashes that are made of a body that streams. The store makes one of CRC-64/NVME by itself, but of what is sealed.
struct Hashes {
    md5: Md5,
    /// The algorithm of the checksum, if it is not that of the store.
    algorithm: Option<Algorithm>,
    other: Option<Hasher>,
    crc64nvme: Hasher,
    sealer: Sealer,
}

/// The MD5 of a body that streams.
enum Md5 {
    /// Together with those of other bodies, beside what else is done with the bytes.
    Staged(fogbank_md5::Stream),
    /// At once: a simulation has one thread.
    Here(md5::Md5),
}

/// The hashes of a body that has ended, of which MD5 may still be under way.
struct Ended {
    md5: Result<fogbank_md5::Digest, md5::Md5>,
    algorithm: Option<Algorithm>,
    other: Option<Hasher>,
    crc64nvme: u64,
    stretch: Stretch,
}

impl Hashes {
    fn new(cx: &Cx, algorithm: Option<Algorithm>, sealer: Sealer) -> Hashes {
        let algorithm = algorithm.filter(|algorithm| *algorithm != Algorithm::Crc64Nvme);
        let md5 = if cx.blobs().has_threads() {
            Md5::Staged(fogbank_md5::Stream::new())
        } else {
            Md5::Here(md5::Md5::default())
        };
        // MD5 is made anyway.
        let other = algorithm.filter(|algorithm| *algorithm != Algorithm::Md5).map(Hasher::new);
        let crc64nvme = Hasher::new(Algorithm::Crc64Nvme);
        Hashes { md5, algorithm, other, crc64nvme, sealer }
    }

    /// Takes the next bytes, and gives those that are to be stored.
    async fn update(&mut self, bytes: Bytes) -> Bytes {
        self.crc64nvme.update(&bytes);
        if let Some(other) = &mut self.other {
            other.update(&bytes);
        }
        match &mut self.md5 {
            Md5::Staged(md5) => md5.update(bytes.clone()).await,
            Md5::Here(md5) => md5.update(&bytes),
        }
        self.sealer.seal(&bytes)
    }

    fn end(self) -> Ended {
        let md5 = match self.md5 {
            Md5::Staged(md5) => Ok(md5.finish()),
            Md5::Here(md5) => Err(md5),
        };
        let crc64nvme = crate::checksums::number(&self.crc64nvme.finish());
        let stretch = self.sealer.stretch();
        Ended { md5, algorithm: self.algorithm, other: self.other, crc64nvme, stretch }
    }
}

impl Ended {
    async fn finish(self) -> ([u8; 16], Checksum) {
        let md5 = match self.md5 {
            Ok(digest) => digest.await,
            Err(md5) => md5.finalize().into(),
        };
        let checksum = match (self.algorithm, self.other) {
            (_, Some(other)) => Checksum::full(other.algorithm(), other.finish()),
            (Some(Algorithm::Md5), None) => Checksum::full(Algorithm::Md5, md5.to_vec()),
            (_, None) => Checksum::crc64nvme(self.crc64nvme),
        };
        (md5, checksum)
    }
}

async fn stream(
    cx: &Cx,
    mut body: Body,
    len: u64,
    algorithm: Option<Algorithm>,
    sealer: Sealer,
) -> Result<Received, Error> {
    let mut writer = cx.blobs().writer(Some(len));
    let mut hashes = Hashes::new(cx, algorithm, sealer);
    while let Some(frame) = body.next().await {
        let frame = frame.map_err(incomplete)?;
        if writer.len() + frame.len() as u64 > len {
            return Err(Error::IncompleteBody);
        }
        writer.write(hashes.update(frame).await).await?;
    }
    if writer.len() != len {
        return Err(Error::IncompleteBody);
    }
    stored(writer, hashes).await
}

/// Ends a blob, while what is left of its bytes is hashed.
async fn stored(writer: BlobWriter, hashes: Hashes) -> Result<Received, Error> {
    let ended = hashes.end();
    let blob = writer.finish().await?;
    let size = blob.len();
    let (body, nonce) = sealed(blob, ended.stretch);
    let crc64nvme = ended.crc64nvme;
    let (md5, checksum) = ended.finish().await;
    Ok(Received { body, size, md5, crc64nvme, checksum, is_promised: false, nonce })
}

/// Holds what was received against what was promised before and after it.
async fn check(
    cx: &Cx,
    received: &mut Received,
    promise: Promise,
    trailers: Option<Trailers>,
    key: Option<&BodyKey>,
) -> Result<(), Error> {
    if let Some(expected) = &promise.md5 {
        let calculated = STANDARD.encode(received.md5);
        if *expected != calculated {
            return Err(Error::bad_md5(expected, &calculated));
        }
    }
    let trailing = match trailers.as_ref().and_then(|trailers| trailers.get()) {
        Some(trailers) => trailing(trailers)?,
        None => None,
    };
    let Some((algorithm, value)) = promise.checksum.or(trailing) else { return Ok(()) };
    if received.checksum.algorithm != algorithm {
        // The client named the algorithm only after the body.
        let stored = Stored::whole(&received.body, received.nonce);
        let reader = Reader::new(cx, &stored, key)?;
        received.checksum = rehash(reader, algorithm).await?.1;
    }
    if received.checksum.value != value {
        return Err(Error::BadDigest { algorithm: algorithm.name().to_owned() });
    }
    received.is_promised = true;
    Ok(())
}

/// The checksum among the headers that followed the body.
fn trailing(trailers: &[(String, String)]) -> Result<Option<(Algorithm, Vec<u8>)>, Error> {
    let mut found = trailers
        .iter()
        .filter_map(|(name, value)| Some((Algorithm::from_header(name)?, value.trim())));
    let Some((algorithm, value)) = found.next() else { return Ok(None) };
    let bytes = algorithm.parse(value).ok_or_else(|| invalid(algorithm, "trailing header"))?;
    Ok(Some((algorithm, bytes)))
}

/// Hashes stored bytes without storing them again.
pub(crate) async fn rehash(
    mut reader: Reader,
    algorithm: Algorithm,
) -> Result<([u8; 16], Checksum), Error> {
    let mut md5 = md5::Md5::default();
    let mut hasher = Hasher::new(algorithm);
    while let Some(frame) = reader.next().await {
        let frame = frame?;
        md5.update(&frame);
        hasher.update(&frame);
        give_way().await;
    }
    Ok((md5.finalize().into(), Checksum::full(algorithm, hasher.finish())))
}

/// Lets others run between two frames: bytes out of the store are there at once, so that hashing them would never wait.
async fn give_way() {
    let mut has_waited = false;
    std::future::poll_fn(|context| {
        if std::mem::replace(&mut has_waited, true) {
            return std::task::Poll::Ready(());
        }
        context.waker().wake_by_ref();
        std::task::Poll::Pending
    })
    .await;
}

/// Stores bytes that are read from elsewhere in the store.
pub(crate) async fn copy(
    cx: &Cx,
    mut reader: Reader,
    algorithm: Option<Algorithm>,
    sealer: Sealer,
) -> Result<Received, Error> {
    if reader.len() <= INLINE_BYTES {
        let mut received = of_bytes(reader.collect().await?, algorithm, sealer);
        received.hide_md5();
        return Ok(received);
    }
    let mut writer = cx.blobs().writer(Some(reader.len()));
    let mut hashes = Hashes::new(cx, algorithm, sealer);
    while let Some(frame) = reader.next().await {
        writer.write(hashes.update(frame?).await).await?;
        give_way().await;
    }
    let mut received = stored(writer, hashes).await?;
    received.hide_md5();
    Ok(received)
}

/// A body that streams out of the store. If it cannot be read to its end, the log names the object.
pub(crate) fn outgoing(reader: Reader, name: String) -> Body {
    Body::stream(Some(reader.len()), Frames { reader, name })
}

struct Frames {
    reader: Reader,
    name: String,
}

impl futures_core::Stream for Frames {
    type Item = Result<Bytes, BodyError>;

    fn poll_next(
        mut self: std::pin::Pin<&mut Self>,
        context: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Self::Item>> {
        let frame = self.reader.poll_next(context);
        if let std::task::Poll::Ready(Some(Err(error))) = &frame {
            let object = &self.name;
            fogbank_core::tracing::error!(%object, %error, "an object cannot be read; its reader is cut off");
        }
        frame.map(|frame| frame.map(|bytes| bytes.map_err(Into::into)))
    }
}
