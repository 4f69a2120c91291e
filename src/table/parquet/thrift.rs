//! The lengths of structs in Thrift's compact protocol, which Parquet's footer and page headers are written in.
//!
//! The parquet crate skips unknown fields for as long as they claim to be: seven bytes can announce 2^31 booleans that
//! take no bytes. A struct is therefore measured before the crate reads it. That takes time in proportion to its bytes.
//! The protocol: <https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md>.

/// Maximum depth of structs and collections inside each other.
const DEEPEST: u32 = 64;

/// A struct whose end was found.
#[derive(Debug, PartialEq)]
pub struct Struct {
    /// Bytes.
    pub length: usize,
    /// The numbers of its fields, each with its value if it is an integer, else 0.
    pub fields: Vec<(i64, i64)>,
}

/// The reason why a struct has no length.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Fault {
    /// The struct continues after the last byte.
    Short,
    /// The bytes are not such a struct, or hold a collection of booleans, which Parquet doesn't use.
    Invalid,
}

/// Measures the struct at the start of `bytes`.
pub fn measure(bytes: &[u8]) -> Result<Struct, Fault> {
    let mut rest = Rest(bytes);
    let mut fields = Vec::new();
    rest.fields(DEEPEST, &mut |field, value| fields.push((field, value)))?;
    Ok(Struct {
        length: bytes.len() - rest.0.len(),
        fields,
    })
}

/// The bytes that are still to be read.
struct Rest<'a>(&'a [u8]);

impl Rest<'_> {
    /// Passes over the fields of a struct, and tells `seen` their numbers and integer values.
    fn fields(&mut self, depth: u32, seen: &mut dyn FnMut(i64, i64)) -> Result<(), Fault> {
        let mut field = 0_i64;
        loop {
            let byte = self.byte()?;
            let (step, kind) = (byte >> 4, byte & 0x0f);
            if kind == 0 {
                return Ok(());
            }
            field = match step {
                0 => self.integer()?,
                step => field.wrapping_add(step.into()),
            };
            seen(field, self.value(kind, depth)?);
        }
    }

    /// Passes over a value of this kind; returns it if it is an integer, else 0.
    fn value(&mut self, kind: u8, depth: u32) -> Result<i64, Fault> {
        let depth = depth.checked_sub(1).ok_or(Fault::Invalid)?;
        match kind {
            // A boolean field is the kind itself.
            1 | 2 => {}
            3 => self.skip(1)?,
            4..=6 => return self.integer(),
            7 => self.skip(8)?,
            8 => {
                let length = self.unsigned()?;
                self.skip(length)?;
            }
            9 | 10 => {
                let byte = self.byte()?;
                let count = match byte >> 4 {
                    15 => self.unsigned()?,
                    count => count.into(),
                };
                self.elements(count, &[byte & 0x0f], depth)?;
            }
            11 => {
                let count = self.unsigned()?;
                if count > 0 {
                    let byte = self.byte()?;
                    self.elements(count, &[byte >> 4, byte & 0x0f], depth)?;
                }
            }
            12 => self.fields(depth, &mut |_, _| {})?,
            13 => self.skip(16)?,
            _ => return Err(Fault::Invalid),
        }
        Ok(0)
    }

    /// Passes over a collection's elements, of which each takes at least a byte.
    fn elements(&mut self, count: u64, kinds: &[u8], depth: u32) -> Result<(), Fault> {
        if count > 0 && kinds.iter().any(|kind| (1..=2).contains(kind)) {
            return Err(Fault::Invalid);
        }
        for _ in 0..count {
            for &kind in kinds {
                self.value(kind, depth)?;
            }
        }
        Ok(())
    }

    /// Reads an integer whose lowest bit is the sign.
    fn integer(&mut self) -> Result<i64, Fault> {
        let value = self.unsigned()?;
        Ok((value >> 1) as i64 ^ -((value & 1) as i64))
    }

    /// Reads an integer of seven bits a byte, the lowest first.
    fn unsigned(&mut self) -> Result<u64, Fault> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(Fault::Invalid)
    }

    fn byte(&mut self) -> Result<u8, Fault> {
        self.0.split_off_first().copied().ok_or(Fault::Short)
    }

    fn skip(&mut self, length: u64) -> Result<(), Fault> {
        let length = usize::try_from(length).map_err(|_| Fault::Short)?;
        self.0 = self.0.get(length..).ok_or(Fault::Short)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The header of a data page of 1000 bytes unpacked, 300 packed, with a checksum, of 70 values.
    const PAGE: [u8; 18] = [
        0x15, 0x00, 0x15, 0xd0, 0x0f, 0x15, 0xd8, 0x04, 0x15, 0x01, 0x1c, 0x15, 0x8c, 0x01, 0x15,
        0x00, 0x00, 0x00,
    ];

    #[test]
    fn a_page_header_is_measured() {
        let fields = vec![(1, 0), (2, 1000), (3, 300), (4, -1), (5, 0)];
        let length = PAGE.len();
        assert_eq!(measure(&PAGE), Ok(Struct { length, fields }));
        for length in 0..PAGE.len() {
            assert_eq!(measure(&PAGE[..length]), Err(Fault::Short));
        }
    }

    #[test]
    fn every_kind_of_value_is_passed_over() {
        let bytes = [
            &[0x11, 0x12, 0x13, 0x05][..],         // true, false, a byte
            &[0x17, 0, 0, 0, 0, 0, 0, 0, 0],       // a double
            &[0x18, 0x02, b'a', b'b'],             // a string
            &[0x19, 0x35, 0x02, 0x04, 0x06],       // a list of three integers
            &[0x1a, 0xf3, 0x01, 0x07],             // a set that says its length apart
            &[0x1b, 0x00],                         // an empty map
            &[0x1b, 0x01, 0x58, 0x02, 0x01, b'c'], // a map from an integer to a string
            &[0x1c, 0x1c, 0x00, 0x00],             // a struct in a struct
            &[0x06, 0xc8, 0x01, 0x09],             // field 100
            &[0x00],
        ]
        .concat();
        let found = measure(&bytes).unwrap();
        assert_eq!(found.length, bytes.len());
        assert_eq!(found.fields.last(), Some(&(100, -5)));
    }

    /// Lists, sets and maps that announce more than there is, and structs in structs.
    #[test]
    fn claims_take_no_time() {
        let most = [0xff, 0xff, 0xff, 0xff, 0x07];
        let doubles = [&[0x19, 0xf7][..], &most].concat();
        assert_eq!(measure(&doubles), Err(Fault::Short));
        let empty_structs = [&[0x19, 0xfc][..], &most, &[0; 1000]].concat();
        assert_eq!(measure(&empty_structs), Err(Fault::Short));
        let booleans = [&[0x1b][..], &most, &[0x11]].concat();
        assert_eq!(measure(&booleans), Err(Fault::Invalid));
        assert_eq!(measure(&[0x1c; 1 << 20]), Err(Fault::Invalid));
        assert_eq!(measure(&[0x19; 1 << 20]), Err(Fault::Invalid));
        assert_eq!(measure(&[0xff; 100]), Err(Fault::Invalid));
    }
}
