//! Ways to damage a file.

use rand::Rng;
use rand::seq::IndexedRandom;

/// Bytes that mean something to a reader of DICOM, gzip, NIfTI or JSON.
const TELLING: &[&[u8]] = &[
    // Item, end of item, end of sequence.
    &[0xFE, 0xFF, 0x00, 0xE0, 0xFF, 0xFF, 0xFF, 0xFF],
    &[0xFE, 0xFF, 0x0D, 0xE0, 0, 0, 0, 0],
    &[0xFE, 0xFF, 0xDD, 0xE0, 0, 0, 0, 0],
    // Pixel data of undefined length; Rows and Columns at their largest; 2,000,000,000 frames.
    &[0xE0, 0x7F, 0x10, 0x00, b'O', b'B', 0, 0, 0xFF, 0xFF, 0xFF, 0xFF],
    &[0x28, 0x00, 0x10, 0x00, b'U', b'S', 2, 0, 0xFF, 0xFF],
    &[0x28, 0x00, 0x11, 0x00, b'U', b'S', 2, 0, 0xFF, 0xFF],
    b"\x28\x00\x08\x00IS\x0a\x002000000000",
    b"1e999",
    b"-0",
    b"null",
    b"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[",
    b"{\"\":",
    b"\xFF\xFE",
    b"NaN",
];

/// Extremes of lengths and sizes.
const EXTREMES: [u32; 8] = [0, 1, 0x7F, 0xFF, 0x7FFF, 0xFFFF, 0x7FFF_FFFF, 0xFFFF_FFFF];

/// A copy of `seed` with one to four kinds of damage.
pub(crate) fn mutant(seed: &[u8], random: &mut impl Rng) -> Vec<u8> {
    let mut bytes = seed.to_vec();
    for _ in 0..random.random_range(1..=4) {
        damage(&mut bytes, random);
    }
    bytes
}

fn damage(bytes: &mut Vec<u8>, random: &mut impl Rng) {
    // Headers are at the start: half of the damage is done there.
    let length = bytes.len();
    let reach = if random.random_bool(0.5) { length.min(1500) } else { length };
    let at = if reach == 0 { 0 } else { random.random_range(0..reach) };
    let end = (at + random.random_range(1..=64)).min(length);
    match random.random_range(0..8) {
        0 if length > 0 => bytes[at] ^= 1 << random.random_range(0..8),
        1 => bytes.truncate(at),
        2 if at + 4 <= length => {
            let value = EXTREMES.choose(random).expect("some");
            bytes[at..at + 4].copy_from_slice(&value.to_le_bytes());
        }
        3 if at + 2 <= length => {
            let value = *EXTREMES.choose(random).expect("some") as u16;
            bytes[at..at + 2].copy_from_slice(&value.to_be_bytes());
        }
        4 => drop(bytes.splice(at..at, TELLING.choose(random).expect("some").iter().copied())),
        5 => {
            let telling = TELLING.choose(random).expect("some");
            let end = (at + telling.len()).min(length);
            drop(bytes.splice(at..end, telling.iter().copied()));
        }
        6 => {
            let copied = bytes[at..end].to_vec();
            let place = random.random_range(0..=length);
            drop(bytes.splice(place..place, copied));
        }
        _ => drop(bytes.drain(at..end)),
    }
}
