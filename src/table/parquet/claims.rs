//! The numbers of values that pages claim, checked before the parquet crate takes memory for them.

use parquet::basic::Encoding;
use parquet::column::page::{Page, PageMetadata, PageReader};
use parquet::errors::ParquetError;
use parquet::schema::types::ColumnDescriptor;

use super::pages::LARGEST;
use super::thrift;

/// The pages of a column chunk, of which each claims no more values than it can hold.
pub struct CheckedPages<P> {
    pages: P,
    /// `true` if pages hold repetition levels.
    repeats: bool,
    /// `true` if pages hold definition levels.
    may_miss: bool,
}

impl<P> CheckedPages<P> {
    pub fn new(pages: P, column: &ColumnDescriptor) -> Self {
        CheckedPages {
            pages,
            repeats: column.max_rep_level() > 0,
            may_miss: column.max_def_level() > 0,
        }
    }

    fn check(&self, page: &Page) -> Result<(), ParquetError> {
        let values = u64::from(page.num_values());
        // A dictionary stands in memory decoded, and the lengths of a page's texts do too, 4 bytes each.
        let most = match page {
            Page::DictionaryPage { buf, .. } => buf.len() as u64,
            _ if has_lengths(page.encoding()) => LARGEST / 4,
            _ => return Ok(()),
        };
        let lengths = self.lengths(page).unwrap_or(values);
        if values > most || lengths > values {
            return Err(ParquetError::General(
                "a page claims more values than it has".to_owned(),
            ));
        }
        Ok(())
    }

    /// Returns the number of lengths that a data page claims: the third integer after its levels. `None` if it has none.
    fn lengths(&self, page: &Page) -> Option<u64> {
        let (levels, bytes) = match page {
            Page::DictionaryPage { .. } => return None,
            Page::DataPageV2 {
                buf,
                rep_levels_byte_len,
                def_levels_byte_len,
                ..
            } => (rep_levels_byte_len + def_levels_byte_len, &buf[..]),
            Page::DataPage { buf, .. } => {
                let mut rest = &buf[..];
                for _ in 0..u8::from(self.repeats) + u8::from(self.may_miss) {
                    let length = u32::from_le_bytes(*rest.split_off(..4)?.first_chunk()?);
                    rest = rest.get(length as usize..)?;
                }
                (0, rest)
            }
        };
        let [_, _, lengths] = thrift::integers(bytes.get(levels as usize..)?)?;
        Some(lengths)
    }
}

/// Returns whether values of this encoding follow a list of their lengths.
fn has_lengths(encoding: Encoding) -> bool {
    matches!(
        encoding,
        Encoding::DELTA_LENGTH_BYTE_ARRAY | Encoding::DELTA_BYTE_ARRAY
    )
}

impl<P: PageReader> Iterator for CheckedPages<P> {
    type Item = Result<Page, ParquetError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.get_next_page().transpose()
    }
}

impl<P: PageReader> PageReader for CheckedPages<P> {
    fn get_next_page(&mut self) -> Result<Option<Page>, ParquetError> {
        let page = self.pages.get_next_page()?;
        page.iter().try_for_each(|page| self.check(page))?;
        Ok(page)
    }

    fn peek_next_page(&mut self) -> Result<Option<PageMetadata>, ParquetError> {
        self.pages.peek_next_page()
    }

    fn skip_next_page(&mut self) -> Result<(), ParquetError> {
        self.pages.skip_next_page()
    }

    fn at_record_boundary(&mut self) -> Result<bool, ParquetError> {
        self.pages.at_record_boundary()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(page: &Page, may_miss: bool) -> Result<(), ParquetError> {
        let checked = CheckedPages {
            pages: (),
            repeats: false,
            may_miss,
        };
        checked.check(page)
    }

    #[test]
    fn a_dictionary_has_no_more_values_than_bytes() {
        let dictionary = |num_values| Page::DictionaryPage {
            buf: vec![0; 16].into(),
            num_values,
            encoding: Encoding::PLAIN,
            is_sorted: false,
        };
        assert!(check(&dictionary(16), true).is_ok());
        assert!(check(&dictionary(17), true).is_err());
    }

    /// The lists claim blocks of 128 values, 4 parts each, and then so many lengths.
    #[test]
    fn texts_have_no_more_lengths_than_the_page_has_values() {
        let list = |count: &[u8]| [&[0x80, 1, 4][..], count, &[0]].concat();
        let page = |buf: Vec<u8>, num_values, encoding| Page::DataPage {
            buf: buf.into(),
            num_values,
            encoding,
            def_level_encoding: Encoding::RLE,
            rep_level_encoding: Encoding::RLE,
            statistics: None,
        };
        for encoding in [
            Encoding::DELTA_LENGTH_BYTE_ARRAY,
            Encoding::DELTA_BYTE_ARRAY,
        ] {
            for (count, is_right) in [
                (&[7][..], true),
                (&[8], false),
                (&[0xff, 0xff, 0xff, 0xff, 7], false),
            ] {
                let bytes = list(count);
                let plain = page(bytes.clone(), 7, encoding);
                assert_eq!(check(&plain, false).is_ok(), is_right);
                let with_levels = page([&[2, 0, 0, 0, 14, 1][..], &bytes].concat(), 7, encoding);
                assert_eq!(check(&with_levels, true).is_ok(), is_right);
                let second = Page::DataPageV2 {
                    buf: [&[14, 1][..], &bytes].concat().into(),
                    num_values: 7,
                    encoding,
                    num_nulls: 0,
                    num_rows: 7,
                    def_levels_byte_len: 2,
                    rep_levels_byte_len: 0,
                    is_compressed: false,
                    statistics: None,
                };
                assert_eq!(check(&second, true).is_ok(), is_right);
            }
            assert!(check(&page(list(&[7]), u32::MAX, encoding), false).is_err());
        }
        assert!(check(&page(list(&[8]), 7, Encoding::PLAIN), false).is_ok());
    }
}
