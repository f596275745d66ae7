//! The contents of a datagram: the readings of a device, in network byte order.
//!
//! ```text
//! 0  u16  the mark of the format
//! 2  u16  the number of readings
//! 4  u32  the device
//! 8  u64  the number of the datagram
//! 16  i32  the readings, one after another
//! u32  a checksum of all bytes before it: Adler-32
//! ```

const MARK: u16 = 0xa7e4;
const HEADER: usize = 16;
const CHECKSUM: usize = 4;

/// The greatest number of readings in a datagram.
pub(crate) const MOST_READINGS: usize = 120;

/// The greatest number of bytes in a datagram.
pub(crate) const MOST_BYTES: usize = HEADER + 4 * MOST_READINGS + CHECKSUM;

/// The contents of a datagram. The readings are not copied, but refer to the datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Telemetry<'d> {
    pub(crate) device: u32,
    pub(crate) number: u64,
    readings: &'d [u8],
}

impl<'d> Telemetry<'d> {
    /// Parses a datagram. Returns `None` if it is damaged.
    pub(crate) fn parse(datagram: &'d [u8]) -> Option<Self> {
        let (content, checksum) = datagram.split_last_chunk::<CHECKSUM>()?;
        let telemetry = Self::parse_again(datagram)?;
        (adler32(content) == u32::from_be_bytes(*checksum)).then_some(telemetry)
    }

    /// Parses a datagram like [`parse`](Self::parse), but does not compare the checksum.
    pub(crate) fn parse_again(datagram: &'d [u8]) -> Option<Self> {
        let (mark, rest) = datagram.split_first_chunk()?;
        let (count, rest) = rest.split_first_chunk()?;
        let (device, rest) = rest.split_first_chunk()?;
        let (number, rest) = rest.split_first_chunk()?;
        let readings = rest.get(..rest.len().checked_sub(CHECKSUM)?)?;
        let right = u16::from_be_bytes(*mark) == MARK && readings.len() == 4 * usize::from(u16::from_be_bytes(*count));
        let (device, number) = (u32::from_be_bytes(*device), u64::from_be_bytes(*number));
        right.then_some(Telemetry { device, number, readings })
    }

    pub(crate) fn readings(&self) -> impl Iterator<Item = i32> + use<'d> {
        self.readings.as_chunks().0.iter().map(|reading| i32::from_be_bytes(*reading))
    }
}

/// Creates the datagram with this number. It depends only on the number, so the receiver can check
/// it.
pub(crate) fn datagram(number: u64, buffer: &mut [u8; MOST_BYTES]) -> &[u8] {
    let mixed = (number + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let count = 1 + (mixed >> 32) as usize % MOST_READINGS;
    let end = HEADER + 4 * count;
    buffer[..2].copy_from_slice(&MARK.to_be_bytes());
    buffer[2..4].copy_from_slice(&(count as u16).to_be_bytes());
    buffer[4..8].copy_from_slice(&((mixed >> 58) as u32).to_be_bytes());
    buffer[8..16].copy_from_slice(&number.to_be_bytes());
    for (reading, place) in (0..).zip(buffer[HEADER..end].as_chunks_mut().0) {
        *place = ((mixed as i32 >> 8).wrapping_add(reading)).to_be_bytes();
    }
    let checksum = adler32(&buffer[..end]);
    buffer[end..end + CHECKSUM].copy_from_slice(&checksum.to_be_bytes());
    &buffer[..end + CHECKSUM]
}

fn adler32(bytes: &[u8]) -> u32 {
    // A datagram is so short that the sums do not overflow before the end: 255 * 500 * 501 / 2 <
    // 2^32.
    const { assert!(MOST_BYTES <= 500) };
    debug_assert!(bytes.len() <= MOST_BYTES);
    let (mut one, mut two) = (1_u32, 0_u32);
    for byte in bytes {
        one += u32::from(*byte);
        two += one;
    }
    ((two % 65_521) << 16) | (one % 65_521)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_sent_is_what_is_parsed() {
        let mut buffer = [0; MOST_BYTES];
        for number in 0..1000 {
            let telemetry = Telemetry::parse(datagram(number, &mut buffer)).unwrap();
            assert_eq!(telemetry.number, number);
            assert!((1..=MOST_READINGS).contains(&telemetry.readings().count()) && telemetry.device < 64);
            assert!(telemetry.readings().zip(telemetry.readings().skip(1)).all(|(one, next)| next == one + 1));
        }
        assert_eq!(adler32(b"Wikipedia"), 0x11e6_0398);
    }

    #[test]
    fn what_was_damaged_is_not() {
        let mut buffer = [0; MOST_BYTES];
        let sent = datagram(7, &mut buffer).to_vec();
        for bit in 0..8 * sent.len() {
            let mut damaged = sent.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(Telemetry::parse(&damaged), None, "bit {bit}");
        }
        for len in 0..sent.len() {
            assert_eq!(Telemetry::parse(&sent[..len]), None, "{len} bytes");
        }
        assert_eq!(Telemetry::parse(&[sent, vec![0]].concat()), None);
    }
}
