//! The lengths of structs in Thrift's compact protocol, which Parquet's footer and page headers are written in.
//!
//! The parquet crate skips unknown fields for as long as they claim to be: seven bytes can announce 2^31 booleans that
//! take no bytes. A struct is therefore measured before the crate reads it. That takes time in proportion to its bytes.
//! The crate takes a field that it knows for what it should be, whatever the file says it is. One that is something else is
//! refused here, because the crate would go on at another byte.
//! The protocol: <https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md>.

use super::shapes::{Fields, Shape};

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
    /// The bytes are not such a struct, or hold a collection of booleans, which Parquet doesn't use, or a field is not what
    /// it should be.
    Invalid,
}

/// Measures the struct at the start of `bytes`, which has these fields and maybe others.
pub fn measure(bytes: &[u8], known: Fields) -> Result<Struct, Fault> {
    let mut rest = Rest(bytes);
    let mut fields = Vec::new();
    rest.fields(known, DEEPEST, &mut |field, value| {
        fields.push((field, value))
    })?;
    Ok(Struct {
        length: bytes.len() - rest.0.len(),
        fields,
    })
}

/// Returns the first integers, which have no sign and seven bits a byte, the lowest first.
pub fn integers<const COUNT: usize>(bytes: &[u8]) -> Option<[u64; COUNT]> {
    let mut rest = Rest(bytes);
    let mut integers = [0; COUNT];
    for integer in &mut integers {
        *integer = rest.unsigned().ok()?;
    }
    Some(integers)
}

/// The bytes that are still to be read.
struct Rest<'a>(&'a [u8]);

impl Rest<'_> {
    /// Passes over the fields of a struct, and tells `seen` their numbers and integer values.
    fn fields(
        &mut self,
        known: Fields,
        depth: u32,
        seen: &mut dyn FnMut(i64, i64),
    ) -> Result<(), Fault> {
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
            // The crate takes the lowest 16 bits of a number.
            i16::try_from(field).map_err(|_| Fault::Invalid)?;
            let shape = known.iter().find(|(known, _)| *known == field);
            let shape = shape.map(|(_, shape)| shape);
            seen(field, self.value(kind, shape, depth)?);
        }
    }

    /// Passes over a value of this kind, which has this shape if it is known. Returns it if it is an integer, else 0.
    fn value(&mut self, kind: u8, shape: Option<&Shape>, depth: u32) -> Result<i64, Fault> {
        let depth = depth.checked_sub(1).ok_or(Fault::Invalid)?;
        if shape.is_some_and(|shape| !fits(kind, shape)) {
            return Err(Fault::Invalid);
        }
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
                let of_each = match shape {
                    Some(Shape::List(of_each)) => Some(*of_each),
                    _ => None,
                };
                self.elements(count, &[byte & 0x0f], of_each, depth)?;
            }
            11 => {
                let count = self.unsigned()?;
                if count > 0 {
                    let byte = self.byte()?;
                    self.elements(count, &[byte >> 4, byte & 0x0f], None, depth)?;
                }
            }
            12 => {
                let known = match shape {
                    Some(Shape::Struct(known)) => known,
                    _ => &[][..],
                };
                self.fields(known, depth, &mut |_, _| {})?;
            }
            13 => self.skip(16)?,
            _ => return Err(Fault::Invalid),
        }
        Ok(0)
    }

    /// Passes over a collection's elements, of which each takes at least a byte.
    fn elements(
        &mut self,
        count: u64,
        kinds: &[u8],
        shape: Option<&Shape>,
        depth: u32,
    ) -> Result<(), Fault> {
        if count > 0 && kinds.iter().any(|kind| (1..=2).contains(kind)) {
            return Err(Fault::Invalid);
        }
        for _ in 0..count {
            for &kind in kinds {
                self.value(kind, shape, depth)?;
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

/// Returns whether a value of this kind takes the bytes of this shape.
fn fits(kind: u8, shape: &Shape) -> bool {
    match shape {
        Shape::Bool => matches!(kind, 1 | 2),
        Shape::Byte => kind == 3,
        Shape::Integer => matches!(kind, 4..=6),
        Shape::Double => kind == 7,
        Shape::Bytes => kind == 8,
        Shape::List(_) => matches!(kind, 9 | 10),
        Shape::Struct(_) => kind == 12,
    }
}

#[cfg(test)]
mod tests {
    use super::super::shapes::PAGE as FIELDS;
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
        assert_eq!(measure(&PAGE, FIELDS), Ok(Struct { length, fields }));
        for length in 0..PAGE.len() {
            assert_eq!(measure(&PAGE[..length], FIELDS), Err(Fault::Short));
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
        let found = measure(&bytes, &[]).unwrap();
        assert_eq!(found.length, bytes.len());
        assert_eq!(found.fields.last(), Some(&(100, -5)));
    }

    /// Lists, sets and maps that announce more than there is, and structs in structs.
    #[test]
    fn claims_take_no_time() {
        let most = [0xff, 0xff, 0xff, 0xff, 0x07];
        let doubles = [&[0x19, 0xf7][..], &most].concat();
        assert_eq!(measure(&doubles, &[]), Err(Fault::Short));
        let empty_structs = [&[0x19, 0xfc][..], &most, &[0; 1000]].concat();
        assert_eq!(measure(&empty_structs, &[]), Err(Fault::Short));
        let booleans = [&[0x1b][..], &most, &[0x11]].concat();
        assert_eq!(measure(&booleans, &[]), Err(Fault::Invalid));
        assert_eq!(measure(&[0x1c; 1 << 20], &[]), Err(Fault::Invalid));
        assert_eq!(measure(&[0x19; 1 << 20], &[]), Err(Fault::Invalid));
        assert_eq!(measure(&[0xff; 100], &[]), Err(Fault::Invalid));
    }

    /// The crate would take the boolean's field for an integer, and go on behind the end of the struct.
    #[test]
    fn a_known_field_is_what_it_should_be() {
        assert_eq!(
            measure(&[0x12, 0x00], &[(2, Shape::Integer)])
                .unwrap()
                .length,
            2
        );
        for (bytes, shape) in [
            (&[0x12, 0x00][..], Shape::Integer),
            (&[0x13, 0x00, 0x00], Shape::Integer),
            (&[0x15, 0x00, 0x00], Shape::Bool),
            (&[0x19, 0x15, 0x00, 0x00], Shape::List(&Shape::Bytes)),
            (
                &[0x1c, 0x12, 0x00, 0x00],
                Shape::Struct(&[(1, Shape::Integer)]),
            ),
        ] {
            let known: Fields = Box::leak(Box::new([(1, shape)]));
            assert!(measure(bytes, &[]).is_ok(), "{bytes:x?}");
            assert_eq!(measure(bytes, known), Err(Fault::Invalid), "{bytes:x?}");
        }
        // Field 65537.
        let far = [0x05, 0x82, 0x80, 0x08, 0x00, 0x00];
        assert_eq!(measure(&far, &[]), Err(Fault::Invalid));
    }
}
