//! Variable-length integers as records have them: zigzag, seven bits a byte, least first.

/// The most bytes that a number of 32 bits has.
pub const MOST_BYTES_I32: usize = 5;
/// The most bytes that a number of 64 bits has.
pub const MOST_BYTES_I64: usize = 10;

/// Reads a number of up to 32 bits. `None` if it is cut off or too long.
#[inline]
pub fn read_i32(bytes: &[u8], at: &mut usize) -> Option<i32> {
    // Most numbers in records fit into a byte.
    let first = *bytes.get(*at)?;
    if first < 0x80 {
        *at += 1;
        return Some(i32::from(first >> 1) ^ -i32::from(first & 1));
    }
    let value = read_raw(bytes, at, MOST_BYTES_I32)?;
    let value = value as u32;
    Some((value >> 1) as i32 ^ -((value & 1) as i32))
}

/// Reads a number of up to 64 bits. `None` if it is cut off or too long.
#[inline]
pub fn read_i64(bytes: &[u8], at: &mut usize) -> Option<i64> {
    let value = read_raw(bytes, at, MOST_BYTES_I64)?;
    Some((value >> 1) as i64 ^ -((value & 1) as i64))
}

#[inline]
fn read_raw(bytes: &[u8], at: &mut usize, most: usize) -> Option<u64> {
    let mut value = 0_u64;
    for index in 0..most {
        let byte = *bytes.get(*at + index)?;
        value |= u64::from(byte & 0x7f) << (7 * index as u32);
        if byte < 0x80 {
            *at += index + 1;
            return Some(value);
        }
    }
    None
}

/// Writes a number of 32 bits.
#[inline]
pub fn write_i32(out: &mut Vec<u8>, value: i32) {
    write_raw(out, u64::from(((value << 1) ^ (value >> 31)) as u32));
}

/// Writes a number of 64 bits.
#[inline]
pub fn write_i64(out: &mut Vec<u8>, value: i64) {
    write_raw(out, ((value << 1) ^ (value >> 63)) as u64);
}

#[inline]
fn write_raw(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// How many bytes a number of 32 bits has.
#[inline]
pub fn size_i32(value: i32) -> usize {
    size_raw(u64::from(((value << 1) ^ (value >> 31)) as u32))
}

/// How many bytes a number of 64 bits has.
#[inline]
pub fn size_i64(value: i64) -> usize {
    size_raw(((value << 1) ^ (value >> 63)) as u64)
}

#[inline]
fn size_raw(value: u64) -> usize {
    let bits = u64::BITS - (value | 1).leading_zeros();
    bits.div_ceil(7) as usize
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_written_is_read(small in any::<i32>(), large in any::<i64>()) {
            let mut bytes = Vec::new();
            write_i32(&mut bytes, small);
            prop_assert_eq!(bytes.len(), size_i32(small));
            write_i64(&mut bytes, large);
            prop_assert_eq!(bytes.len(), size_i32(small) + size_i64(large));
            let mut at = 0;
            prop_assert_eq!(read_i32(&bytes, &mut at), Some(small));
            prop_assert_eq!(read_i64(&bytes, &mut at), Some(large));
            prop_assert_eq!(at, bytes.len());
        }

        #[test]
        fn anything_can_be_read(bytes in proptest::collection::vec(any::<u8>(), 0..12)) {
            let mut at = 0;
            let _ = read_i32(&bytes, &mut at);
            at = 0;
            let _ = read_i64(&bytes, &mut at);
            prop_assert!(at <= bytes.len());
        }
    }
}
