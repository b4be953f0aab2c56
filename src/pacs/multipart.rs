//! Bodies of many parts (RFC 2046) as a stream: WADO-RS answers, STOW-RS requests.

use std::io::{self, Read, Write};

use super::error::PacsError;
use crate::files::PathError;

/// Largest head of a part.
const MAX_HEAD_BYTES: usize = 16 << 10;
/// Bytes read at once.
const CHUNK: usize = 64 << 10;

/// The boundary of a content type of many parts; that it is `related`, as it should be, is not asked.
pub(super) fn boundary_of(content_type: &str) -> Option<String> {
    let mut parts = content_type.split(';').map(str::trim);
    if !parts.next()?.to_ascii_lowercase().starts_with("multipart/") {
        return None;
    }
    let value = parts.find_map(|part| {
        let (name, value) = part.split_once('=')?;
        name.trim().eq_ignore_ascii_case("boundary").then(|| value.trim().trim_matches('"').to_owned())
    })?;
    // RFC 2046: 1 to 70 letters.
    (1..=70).contains(&value.len()).then_some(value)
}

/// Reads part after part.
pub(super) struct Parts<R> {
    source: R,
    place: String,
    buffer: Vec<u8>,
    /// Line break and boundary; the line break that this server writes is known from its first boundary.
    delimiter: Vec<u8>,
    line_break: Option<&'static [u8]>,
}

impl<R: Read> Parts<R> {
    pub(super) fn new(source: R, boundary: &str, place: &str) -> Self {
        // The first boundary needs no line break before it; giving it one spares a special case.
        let delimiter = format!("\n--{boundary}").into_bytes();
        Self { source, place: place.to_owned(), buffer: b"\n".to_vec(), delimiter, line_break: None }
    }

    /// Moves to the next part; `false` behind the last.
    pub(crate) fn next_part(&mut self) -> Result<bool, PacsError> {
        if self.line_break.is_none() {
            self.copy_part(&mut io::sink())?;
        }
        while self.buffer.len() < 2 {
            self.fill()?;
        }
        if self.buffer.starts_with(b"--") {
            return Ok(false);
        }
        loop {
            let line_break = self.line_break()?;
            let (found, length) = (find(&self.buffer, &[line_break, line_break].concat()), 2 * line_break.len());
            if let Some(end) = found {
                self.buffer.drain(..end + length);
                return Ok(true);
            }
            if self.buffer.len() > MAX_HEAD_BYTES {
                return Err(self.broken("a part whose head does not end"));
            }
            self.fill()?;
        }
    }

    /// How the server ends lines, which is seen behind its first boundary.
    fn line_break(&mut self) -> Result<&'static [u8], PacsError> {
        while self.line_break.is_none() {
            match self.buffer.iter().position(|byte| *byte == b'\n') {
                Some(end) => {
                    let line_break: &[u8] = if self.buffer[..end].ends_with(b"\r") { b"\r\n" } else { b"\n" };
                    self.delimiter.splice(..1, line_break.iter().copied());
                    self.line_break = Some(line_break);
                }
                None if self.buffer.len() > MAX_HEAD_BYTES => return Err(self.broken("a part whose head does not end")),
                None => self.fill()?,
            }
        }
        Ok(self.line_break.unwrap_or(b"\r\n"))
    }

    /// Writes the content of the part to `out`, up to its boundary.
    pub(crate) fn copy_part(&mut self, out: &mut dyn Write) -> Result<(), PacsError> {
        let write = |out: &mut dyn Write, bytes: &[u8]| out.write_all(bytes).map_err(PathError::at("received object"));
        loop {
            if let Some(end) = find(&self.buffer, &self.delimiter) {
                write(out, &self.buffer[..end])?;
                self.buffer.drain(..end + self.delimiter.len());
                return Ok(());
            }
            // The delimiter may begin in the last bytes.
            let sure = self.buffer.len().saturating_sub(self.delimiter.len() - 1);
            write(out, &self.buffer[..sure])?;
            self.buffer.drain(..sure);
            self.fill()?;
        }
    }

    fn fill(&mut self) -> Result<(), PacsError> {
        let old = self.buffer.len();
        self.buffer.resize(old + CHUNK, 0);
        let count = self.source.read(&mut self.buffer[old..]);
        self.buffer.truncate(old + *count.as_ref().unwrap_or(&0));
        match count {
            Ok(0) => Err(PacsError::Lost { place: self.place.clone(), reason: "it closed in the middle".to_owned() }),
            Ok(_) => Ok(()),
            Err(error) => Err(PacsError::of_io(&self.place, &error)),
        }
    }

    fn broken(&self, reason: &str) -> PacsError {
        PacsError::Answer { place: self.place.clone(), reason: reason.to_owned() }
    }
}

/// Where `pattern` begins in `bytes`.
fn find(bytes: &[u8], pattern: &[u8]) -> Option<usize> {
    let first = *pattern.first()?;
    let mut from = 0;
    while let Some(at) = bytes[from..].iter().position(|byte| *byte == first) {
        let start = from + at;
        if bytes[start..].starts_with(pattern) {
            return Some(start);
        }
        from = start + 1;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives a few bytes at a time, as networks do.
    struct Slow<'a>(&'a [u8], usize);

    impl Read for Slow<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let count = self.1.min(self.0.len()).min(buffer.len());
            buffer[..count].copy_from_slice(&self.0[..count]);
            self.0 = &self.0[count..];
            Ok(count)
        }
    }

    fn parts(body: &[u8], step: usize) -> Result<Vec<Vec<u8>>, PacsError> {
        let mut parts = Parts::new(Slow(body, step), "b1", "archive");
        let mut found = Vec::new();
        while parts.next_part()? {
            let mut part = Vec::new();
            parts.copy_part(&mut part)?;
            found.push(part);
        }
        Ok(found)
    }

    #[test]
    fn parts_come_out_whole_however_they_are_cut() {
        let body = b"preamble\r\n--b1\r\nContent-Type: x\r\n\r\none\r\n--b\r\n\r\n--b1\r\n\r\n\r\n--b1--\r\nend";
        for step in 1..20 {
            assert_eq!(parts(body, step).expect("whole"), [b"one\r\n--b\r\n".to_vec(), Vec::new()], "{step}");
        }
        assert_eq!(parts(b"--b1\r\nA: b\r\n\r\nx\r\n--b1--", 3).expect("whole"), [b"x".to_vec()]);
        // Some servers end lines with a line feed alone; a carriage return is content then.
        let bare = b"--b1\nA: b\n\none\r\n--b1\n\ntwo\n--b1--";
        for step in 1..20 {
            assert_eq!(parts(bare, step).expect("whole"), [b"one\r".to_vec(), b"two".to_vec()], "{step}");
        }
    }

    #[test]
    fn a_body_cut_short_is_an_error() {
        let whole = b"--b1\r\nA: b\r\n\r\nsome content\r\n--b1--";
        for length in 0..whole.len() - 2 {
            assert!(matches!(parts(&whole[..length], 7), Err(PacsError::Lost { .. })), "{length}");
        }
        let endless = [b"--b1\r\n".as_slice(), &vec![b'a'; 40_000]].concat();
        assert!(matches!(parts(&endless, 5000), Err(PacsError::Answer { .. })));
    }

    #[test]
    fn boundaries_are_found() {
        let named = |text| boundary_of(text);
        assert_eq!(named("multipart/related; type=\"application/dicom\"; boundary=\"a-b\"").as_deref(), Some("a-b"));
        assert_eq!(named("Multipart/Related;boundary=x").as_deref(), Some("x"));
        assert_eq!(named("multipart/mixed; boundary=\"a=b\"").as_deref(), Some("a=b"));
        assert_eq!(named("application/dicom"), None);
        assert_eq!(named("multipart/related; boundary="), None);
    }
}
