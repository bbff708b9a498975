//! Undoes the codings of a body, for the guard to read.
//!
//! What comes out is bounded, at every layer and while it is made: a bomb
//! costs no more than an answer that is just too long. A body is what it says
//! to its last byte, or it is broken: what stands behind the end of the packed
//! data would be read by nobody here, and perhaps by the caller.

use std::io::Read;

use brotli_decompressor::{BrotliDecompressStream, BrotliResult, BrotliState, StandardAlloc};
use flate2::bufread::MultiGzDecoder;
use flate2::{Decompress, FlushDecompress, Status};
use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};

use super::coding::Coding;

/// How much is decoded between two looks at the bound.
const CHUNK: usize = 64 * 1024;

/// What a zstd decoder must remember at most (RFC 9659 §3). Browsers refuse more.
const WINDOW: u64 = 8 * 1024 * 1024;

/// Why a body was not decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// It is not what it says, breaks off, or has something behind its end.
    Broken,
    /// It is longer than the bound.
    TooLarge,
}

/// The body without its codings, which are in the order of their application.
pub(super) fn unpack(codings: &[Coding], body: &[u8], limit: usize) -> Result<Vec<u8>, Fault> {
    let mut unpacked: Option<Vec<u8>> = None;
    for coding in codings.iter().rev() {
        unpacked = Some(undo(*coding, unpacked.as_deref().unwrap_or(body), limit)?);
    }
    Ok(unpacked.unwrap_or_default())
}

fn undo(coding: Coding, body: &[u8], limit: usize) -> Result<Vec<u8>, Fault> {
    match coding {
        Coding::Gzip => gzip(body, limit),
        // Some servers leave out the two bytes of zlib, and browsers bear with them.
        Coding::Deflate => match inflate(Decompress::new(true), body, limit) {
            Err(Fault::Broken) => inflate(Decompress::new(false), body, limit),
            done => done,
        },
        Coding::Br => br(body, limit),
        Coding::Zstd => zstd(body, limit),
    }
}

/// One member or several (RFC 1952 §2.2).
fn gzip(body: &[u8], limit: usize) -> Result<Vec<u8>, Fault> {
    let mut out = Vec::new();
    let room = (limit as u64).saturating_add(1);
    MultiGzDecoder::new(body).take(room).read_to_end(&mut out).map_err(|_| Fault::Broken)?;
    check(&out, limit)?;
    Ok(out)
}

/// Not by `ZlibDecoder`, which takes a stream that breaks off for a whole one.
fn inflate(mut state: Decompress, body: &[u8], limit: usize) -> Result<Vec<u8>, Fault> {
    let mut out = Vec::new();
    loop {
        out.reserve(CHUNK);
        let (read, written) = (state.total_in(), out.len());
        let rest = usize::try_from(read).ok().and_then(|read| body.get(read..)).unwrap_or_default();
        let status = state.decompress_vec(rest, &mut out, FlushDecompress::None);
        check(&out, limit)?;
        match status {
            Ok(Status::StreamEnd) if state.total_in() == body.len() as u64 => return Ok(out),
            Ok(Status::Ok) if read < state.total_in() || written < out.len() => {}
            _ => return Err(Fault::Broken),
        }
    }
}

fn br(body: &[u8], limit: usize) -> Result<Vec<u8>, Fault> {
    let alloc = StandardAlloc::default;
    // `new` would take windows of 1 GB, which are no `br` (RFC 7932 §9.1).
    let mut state = BrotliState::new_strict(alloc(), alloc(), alloc());
    let (mut left, mut read, mut total) = (body.len(), 0, 0);
    let (mut chunk, mut out) = (vec![0; CHUNK], Vec::new());
    loop {
        let (mut room, mut written) = (CHUNK, 0);
        let result = BrotliDecompressStream(
            &mut left,
            &mut read,
            body,
            &mut room,
            &mut written,
            &mut chunk,
            &mut total,
            &mut state,
        );
        out.extend_from_slice(chunk.get(..written).unwrap_or_default());
        check(&out, limit)?;
        match result {
            BrotliResult::NeedsMoreOutput => {}
            BrotliResult::ResultSuccess if left == 0 => return Ok(out),
            _ => return Err(Fault::Broken),
        }
    }
}

/// One frame or several, those between them that are to be skipped left out
/// (RFC 8878 §3).
fn zstd(body: &[u8], limit: usize) -> Result<Vec<u8>, Fault> {
    let mut decoder = FrameDecoder::new();
    decoder.set_max_window_size(WINDOW);
    let (mut rest, mut out) = (body, Vec::new());
    if body.is_empty() {
        return Err(Fault::Broken);
    }
    while !rest.is_empty() {
        match decoder.reset(&mut rest) {
            Ok(()) => frame(&mut decoder, &mut rest, &mut out, limit)?,
            Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame {
                length, ..
            })) => rest = rest.get(length as usize..).ok_or(Fault::Broken)?,
            Err(FrameDecoderError::WindowSizeTooBig { .. }) => return Err(Fault::TooLarge),
            Err(_) => return Err(Fault::Broken),
        }
    }
    Ok(out)
}

fn frame(decoder: &mut FrameDecoder, rest: &mut &[u8], out: &mut Vec<u8>, limit: usize) -> Result<(), Fault> {
    while !decoder.is_finished() {
        let step = BlockDecodingStrategy::UptoBytes(CHUNK);
        decoder.decode_blocks(&mut *rest, step).map_err(|_| Fault::Broken)?;
        decoder.collect_to_writer(&mut *out).map_err(|_| Fault::Broken)?;
        check(out, limit)?;
    }
    match decoder.get_checksum_from_data() {
        Some(said) if decoder.get_calculated_checksum() != Some(said) => Err(Fault::Broken),
        _ => Ok(()),
    }
}

fn check(out: &[u8], limit: usize) -> Result<(), Fault> {
    if limit < out.len() { Err(Fault::TooLarge) } else { Ok(()) }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::io::Write;
    use std::time::Duration;

    use flate2::Compression;
    use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};
    use ruzstd::encoding::{CompressionLevel, compress_to_vec};
    use tokio::time::Instant;

    use super::*;

    /// The text in each coding.
    pub(crate) fn packed(text: &[u8]) -> Vec<(&'static str, Coding, Vec<u8>)> {
        let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
        let mut zlib = ZlibEncoder::new(Vec::new(), Compression::best());
        let mut raw = DeflateEncoder::new(Vec::new(), Compression::best());
        for encoder in [&mut gzip as &mut dyn Write, &mut zlib, &mut raw] {
            encoder.write_all(text).unwrap();
        }
        let mut br = Vec::new();
        brotli::CompressorWriter::new(&mut br, 4096, 5, 22).write_all(text).unwrap();
        vec![
            ("gzip", Coding::Gzip, gzip.finish().unwrap()),
            ("zlib", Coding::Deflate, zlib.finish().unwrap()),
            ("raw deflate", Coding::Deflate, raw.finish().unwrap()),
            ("br", Coding::Br, br),
            ("zstd", Coding::Zstd, compress_to_vec(text, CompressionLevel::Fastest)),
        ]
    }

    fn text() -> Vec<u8> {
        (0..20_000_u32).flat_map(|n| format!("line {} of {}\n", n, n * n % 97).into_bytes()).collect()
    }

    #[test]
    fn each_coding_is_undone_up_to_the_bound() {
        let text = text();
        for (name, coding, body) in packed(&text) {
            assert!(body.len() < text.len(), "{name}");
            assert!(unpack(&[coding], &body, text.len()).as_ref() == Ok(&text), "{name}");
            assert_eq!(unpack(&[coding], &body, text.len() - 1), Err(Fault::TooLarge), "{name}");
        }
        for (name, coding, body) in packed(b"") {
            assert_eq!(unpack(&[coding], &body, 0), Ok(Vec::new()), "{name}");
        }
    }

    #[test]
    fn codings_are_undone_from_the_last_to_the_first() {
        let text = text();
        for (first, inner, body) in packed(&text) {
            for (second, outer, body) in packed(&body) {
                let done = unpack(&[inner, outer], &body, text.len());
                assert!(done.as_ref() == Ok(&text), "{first}, {second}");
            }
        }
        assert_eq!(unpack(&[Coding::Gzip, Coding::Br], &packed(b"hello")[0].2, 99), Err(Fault::Broken));
    }

    #[test]
    fn a_body_that_breaks_off_or_goes_on_is_broken() {
        let text = &text()[..3000];
        for (name, coding, body) in packed(text) {
            for length in (0..body.len()).step_by(7).chain([body.len() - 1]) {
                let cut = unpack(&[coding], &body[..length], 4000);
                assert_eq!(cut, Err(Fault::Broken), "{name}: {length} of {}", body.len());
            }
            let more = [&body[..], b"more"].concat();
            assert_eq!(unpack(&[coding], &more, 4000), Err(Fault::Broken), "{name}");
            assert_eq!(unpack(&[coding], b"<html>an error</html>", 4000), Err(Fault::Broken), "{name}");
        }
    }

    /// Wherever a bit is wrong, the answer is an error or as long as it may be; and never a panic.
    #[test]
    fn a_damaged_body_is_survived() {
        let text = &text()[..2000];
        for (name, coding, body) in packed(text) {
            for at in 0..body.len() {
                let mut damaged = body.clone();
                damaged[at] ^= 1 << (at % 8);
                let done = unpack(&[coding], &damaged, 4000);
                assert!(done.is_err() || done.is_ok_and(|done| done.len() <= 4000), "{name} at {at}");
            }
        }
    }

    #[test]
    fn gzip_members_and_zstd_frames_follow_each_other() {
        let (one, two) = (packed(b"one "), packed(b"two"));
        let members = [&one[0].2[..], &two[0].2].concat();
        assert_eq!(unpack(&[Coding::Gzip], &members, 99).unwrap(), b"one two");
        let skipped = [&0x184D_2A53_u32.to_le_bytes()[..], &3_u32.to_le_bytes(), b"xyz"].concat();
        let frames = [&one[4].2[..], &skipped, &two[4].2].concat();
        assert_eq!(unpack(&[Coding::Zstd], &frames, 99).unwrap(), b"one two");
        assert_eq!(unpack(&[Coding::Zstd], &frames[..one[4].2.len() + 9], 99), Err(Fault::Broken));
    }

    /// 1 GB is what the window of `--long=30` asks for.
    #[test]
    fn a_window_larger_than_browsers_take_is_refused() {
        let header = [0x28, 0xB5, 0x2F, 0xFD, 0x00, 20 << 3, 0x01, 0x00, 0x00];
        assert_eq!(unpack(&[Coding::Zstd], &header, 99), Err(Fault::TooLarge));
    }

    #[test]
    fn a_bomb_is_put_out_at_the_bound() {
        for (name, coding, body) in packed(&vec![0; 16 << 20]) {
            assert!(body.len() < 20_000, "{name}: {}", body.len());
            let begun = Instant::now();
            assert_eq!(unpack(&[coding], &body, 1 << 20), Err(Fault::TooLarge), "{name}");
            assert!(begun.elapsed() < Duration::from_secs(1), "{name}: {:?}", begun.elapsed());
        }
    }
}
