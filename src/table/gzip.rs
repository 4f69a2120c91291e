//! Decompressing a gzip file of one or more members.

use std::io::{self, BufRead, Read};

use flate2::bufread::GzDecoder;

/// A reader that decompresses all members of a file. Zeros after a member are ignored: tapes and devices fill blocks with
/// them.
pub struct Gzip<R> {
    /// The member that is read; `None` at the end.
    member: Option<GzDecoder<R>>,
}

impl<R: BufRead> Gzip<R> {
    /// Returns a reader of the members of `packed`.
    pub fn new(packed: R) -> Self {
        Gzip {
            member: Some(GzDecoder::new(packed)),
        }
    }
}

impl<R: BufRead> Read for Gzip<R> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        while let Some(member) = &mut self.member {
            let read = member.read(bytes)?;
            if read > 0 || bytes.is_empty() {
                return Ok(read);
            }
            let Some(mut packed) = self.member.take().map(GzDecoder::into_inner) else {
                break;
            };
            if !skip_zeros(&mut packed)? {
                self.member = Some(GzDecoder::new(packed));
            }
        }
        Ok(0)
    }
}

/// Skips zeros, and returns whether the file ends after them.
fn skip_zeros(packed: &mut impl BufRead) -> io::Result<bool> {
    loop {
        let bytes = packed.fill_buf()?;
        let (available, zeros) = (
            bytes.len(),
            bytes.iter().take_while(|&&byte| byte == 0).count(),
        );
        packed.consume(zeros);
        if zeros < available || available == 0 {
            return Ok(available == 0);
        }
    }
}
