//! The trailing headers of an `aws-chunked` body and the signature over them.

use crate::chunked::Chain;
use crate::error::Error;

/// All trailing headers together. Real ones are a checksum and a signature, below two hundred bytes.
const MAX_BYTES: usize = 16 * 1024;
const SIGNATURE_NAME: &str = "x-amz-trailer-signature";

/// Collects trailing headers.
pub(crate) struct Trailers {
    allowed: bool,
    announced: Option<Vec<String>>,
    found: Vec<(String, String)>,
    signature: Option<String>,
    room: usize,
}

impl Trailers {
    /// `announced` is `x-amz-trailer`, a list of names; without it any names are taken.
    pub(crate) fn new(allowed: bool, announced: Option<&str>) -> Self {
        let announced = announced.map(|names| {
            let names = names.split(',').map(|name| name.trim().to_ascii_lowercase());
            names.filter(|name| !name.is_empty()).collect()
        });
        Self { allowed, announced, found: Vec::new(), signature: None, room: MAX_BYTES }
    }

    /// Whether there may be any.
    pub(crate) fn are_allowed(&self) -> bool {
        self.allowed
    }

    /// How many bytes the trailing headers may still have.
    pub(crate) fn room(&self) -> usize {
        self.room
    }

    /// Takes one line with its line break. Whether it was the blank one that ends the body.
    pub(crate) fn line(&mut self, line: &[u8], signed: bool) -> Result<bool, Error> {
        self.room = self.room.saturating_sub(line.len());
        let line = line.trim_ascii();
        if line.is_empty() {
            // AWS's own example has a blank line between the headers and their signature.
            let awaits_signature = signed && !self.found.is_empty() && self.signature.is_none();
            return Ok(!awaits_signature);
        }
        let text = std::str::from_utf8(line).map_err(|_| Error::MalformedTrailer)?;
        let (name, value) = text.split_once(':').ok_or(Error::MalformedTrailer)?;
        let name = name.trim().to_ascii_lowercase();
        let value = value.trim();
        let is_token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
        if !self.allowed || name.is_empty() || !name.bytes().all(is_token) {
            return Err(Error::MalformedTrailer);
        }
        if name == SIGNATURE_NAME {
            if self.signature.replace(value.to_owned()).is_some() {
                return Err(Error::MalformedTrailer);
            }
        } else {
            // What follows the signature is not covered by it.
            if self.signature.is_some() {
                return Err(Error::MalformedTrailer);
            }
            self.found.push((name, value.to_owned()));
        }
        Ok(false)
    }

    /// Ends the body: checks that what was announced has come, and its signature if there is a chain of them.
    pub(crate) fn finish(self, chain: Option<&mut Chain>) -> Result<Vec<(String, String)>, Error> {
        if let Some(announced) = self.announced.filter(|_| self.allowed) {
            let known = |name: &String| announced.contains(name);
            let came = |name: &String| self.found.iter().any(|(found, _)| found == name);
            if !announced.iter().all(came) || !self.found.iter().all(|(name, _)| known(name)) {
                return Err(Error::MalformedTrailer);
            }
        }
        match chain {
            Some(chain) if self.allowed => {
                let stated = self.signature.as_deref().ok_or(Error::IncompleteBody)?;
                chain.check_trailers(canonical(&self.found).as_bytes(), stated)?;
            }
            _ => {}
        }
        Ok(self.found)
    }
}

/// The text whose hash the signature of trailing headers covers: `name:value` and a line feed each.
pub(crate) fn canonical(trailers: &[(String, String)]) -> String {
    trailers.iter().fold(String::new(), |mut text, (name, value)| {
        text.extend([name.as_str(), ":", value.as_str(), "\n"]);
        text
    })
}
