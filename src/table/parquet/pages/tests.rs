use std::sync::Arc;

use parquet::basic::Repetition;
use parquet::schema::types::{ColumnPath, Type as SchemaType};

use super::*;

/// Yields these pages.
struct Pages(Vec<Page>);

impl PageReader for Pages {
    fn get_next_page(&mut self) -> Result<Option<Page>, ParquetError> {
        Ok((!self.0.is_empty()).then(|| self.0.remove(0)))
    }

    fn peek_next_page(&mut self) -> Result<Option<PageMetadata>, ParquetError> {
        Ok(self.0.first().map(|page| PageMetadata {
            num_rows: None,
            num_levels: Some(1),
            is_dict: page.is_dictionary_page(),
        }))
    }

    fn skip_next_page(&mut self) -> Result<(), ParquetError> {
        self.get_next_page().map(drop)
    }
}

impl Iterator for Pages {
    type Item = Result<Page, ParquetError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.get_next_page().transpose()
    }
}

fn checked(pages: Vec<Page>) -> Checked<Pages> {
    let double = SchemaType::primitive_type_builder("x", Type::DOUBLE)
        .with_repetition(Repetition::REQUIRED)
        .build()
        .unwrap();
    let path = ColumnPath::from("x");
    Checked::new(
        Pages(pages),
        &ColumnDescriptor::new(Arc::new(double), 0, 0, path),
    )
}

fn data(encoding: Encoding, bytes: usize, values: u32) -> Page {
    Page::DataPage {
        buf: vec![0; bytes].into(),
        num_values: values,
        encoding,
        def_level_encoding: Encoding::RLE,
        rep_level_encoding: Encoding::RLE,
        statistics: None,
    }
}

fn dictionary() -> Page {
    Page::DictionaryPage {
        buf: vec![0; 8].into(),
        num_values: 1,
        encoding: Encoding::PLAIN,
        is_sorted: false,
    }
}

fn refusal(pages: &mut Checked<Pages>) -> String {
    pages.get_next_page().unwrap_err().to_string()
}

#[test]
fn a_page_needs_its_dictionary() {
    let page = || data(Encoding::RLE_DICTIONARY, 8, 1);
    assert!(refusal(&mut checked(vec![page()])).contains("dictionary that is not there"));
    let mut with = checked(vec![dictionary(), page()]);
    with.get_next_page().unwrap();
    assert!(with.get_next_page().unwrap().is_some());
    let mut passed_over = checked(vec![dictionary(), page()]);
    passed_over.skip_next_page().unwrap();
    assert!(passed_over.get_next_page().unwrap().is_some());
}

#[test]
fn a_page_is_as_long_as_it_says() {
    let page = |bytes| data(Encoding::BYTE_STREAM_SPLIT, bytes, 2);
    assert!(checked(vec![page(16)]).get_next_page().is_ok());
    for bytes in [15, 17] {
        assert!(refusal(&mut checked(vec![page(bytes)])).contains("not as long as its values"));
    }
    let levels = |length| Page::DataPageV2 {
        buf: vec![0; 8].into(),
        num_values: 1,
        encoding: Encoding::PLAIN,
        num_nulls: 0,
        num_rows: 1,
        def_levels_byte_len: length,
        rep_levels_byte_len: 4,
        is_compressed: false,
        statistics: None,
    };
    assert!(checked(vec![levels(4)]).get_next_page().is_ok());
    for length in [5, u32::MAX] {
        assert!(refusal(&mut checked(vec![levels(length)])).contains("shorter than its levels"));
    }
}

#[test]
fn a_panic_is_an_error() {
    let wrong: Result<(), _> = guarded(|| panic!("this panic is wanted"));
    assert!(wrong.unwrap_err().to_string().contains("can't be decoded"));
    assert_eq!(guarded(|| Ok(1)).unwrap(), 1);
}
