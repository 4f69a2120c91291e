//! How the columns of a text write their values.

use super::super::quoted;
use super::super::value::{Dates, Numbers, Shape, TimeFormat, Written, may_be_value, number};
use super::Head;
use crate::error::{Ambiguity, Setting};

/// What the first samples show of a column.
pub(super) struct Column {
    pub written: Result<Written, Ambiguity>,
    /// What in the values may be read in another way.
    pub style: Option<String>,
    /// True if at least half of its fields that are not missing are values. The others are errors to report, not a reason to
    /// pass the column over.
    pub numeric: bool,
    /// The first field that is no value.
    pub example: Option<String>,
}

impl Head<'_> {
    pub(super) fn column(
        &self,
        at: usize,
        from: usize,
        shapes: &Shapes,
        all: [usize; 2],
        format: Option<&TimeFormat>,
    ) -> Column {
        let fields = || self.fields(at, from).map(|(field, _)| field);
        let filled = fields().count();
        let is_written = |written: &Written, least: usize| {
            let is_value = |field: &&[u8]| written.value(field, &self.missing).is_ok();
            let values = fields().filter(is_value).count();
            values > 0 && values >= least
        };
        let found = |written: Result<Written, Ambiguity>| Column {
            style: match &written {
                Ok(Written::Numbers(numbers)) => shapes.style(*numbers),
                Ok(Written::Times(format)) => Some(format.style()),
                _ => None,
            },
            written,
            numeric: true,
            example: None,
        };
        let numbers = self.numbers(shapes, all);
        let half = filled.div_ceil(2);
        match &numbers {
            Ok(numbers) if is_written(numbers, half) => return found(Ok(numbers.clone())),
            Err(ambiguity) if 2 * shapes.numbers >= filled => return found(Err(ambiguity.clone())),
            _ => {}
        }
        if is_written(&Written::Booleans, filled) {
            return found(Ok(Written::Booleans));
        }
        if let Some(format) = format {
            let times = Written::Times(format.clone());
            if is_written(&times, half) {
                return found(Ok(times));
            }
        }
        match format.map_or_else(|| TimeFormat::detect(fields()), |_| Dates::None) {
            Dates::One(format) => return found(Ok(Written::Times(format))),
            Dates::DayOrMonth(formats) => {
                let [one, other] = &formats;
                let mut fields = self.fields(at, from);
                let differs = |(field, _): &(&[u8], u64)| one.shown(field) != other.shown(field);
                let (field, line) = fields.find(differs).unwrap_or_default();
                let readings =
                    formats.map(|format| format!("{} ({})", format.shown(field), format.text));
                return found(Err(self.ambiguity(
                    field,
                    line,
                    Setting::DateFormat,
                    readings,
                )));
            }
            Dates::None => {}
        }
        Column {
            written: numbers.or_else(|_| Ok(Written::Numbers(Numbers::default()))),
            style: None,
            numeric: false,
            example: fields()
                .find(|field| !may_be_value(field))
                .or_else(|| fields().find(|field| number(field).is_none()))
                .map(quoted),
        }
    }

    /// Returns how a column writes its numbers. `all` has the numbers with decimal points and with decimal commas in all
    /// columns.
    fn numbers(&self, shapes: &Shapes, all: [usize; 2]) -> Result<Written, Ambiguity> {
        let of = |decimal, grouped| Ok(Written::Numbers(Numbers { decimal, grouped }));
        if let Some(decimal) = self.request.decimal {
            return of(decimal, true);
        }
        let shows_itself = shapes.points != shapes.commas;
        let [points, commas] = if shows_itself {
            [shapes.points, shapes.commas]
        } else {
            all
        };
        let unclear = |(field, line): &(String, u64)| {
            let decimal = field.replace(',', ".");
            let whole = field.replace([',', '.'], "");
            Err(self.ambiguity(field.as_bytes(), *line, Setting::Decimal, [decimal, whole]))
        };
        match (&shapes.either_comma, &shapes.either_point) {
            (Some(comma), Some(_)) if !shows_itself => unclear(comma),
            (Some(comma), None) if points == commas => unclear(comma),
            // Other columns have decimal commas, but most points are before decimals.
            (None, Some(point)) if !shows_itself && commas > points => unclear(point),
            _ if commas > points => of(b',', true),
            (comma, _) => of(b'.', shapes.grouped || comma.is_some()),
        }
    }

    fn ambiguity(
        &self,
        field: &[u8],
        line: u64,
        setting: Setting,
        readings: [String; 2],
    ) -> Ambiguity {
        Ambiguity {
            file: self.name.to_owned(),
            line: line + 1,
            text: quoted(field),
            setting,
            readings,
        }
    }
}

/// How a column's numbers are written, as far as each shows it.
#[derive(Default)]
pub(super) struct Shapes {
    /// All numbers.
    pub numbers: usize,
    /// Those with a decimal point.
    pub points: usize,
    /// Those with a decimal comma.
    pub commas: usize,
    /// The first whose comma may be either, with the lines before it.
    pub either_comma: Option<(String, u64)>,
    /// The first whose point may be either.
    pub either_point: Option<(String, u64)>,
    /// True if thousands are parted by the other sign.
    pub grouped: bool,
}

impl Shapes {
    pub(super) fn of(head: &Head, at: usize, from: usize) -> Self {
        let mut shapes = Shapes::default();
        for (field, line) in head.fields(at, from) {
            let Some(shape) = Shape::of(field) else {
                continue;
            };
            shapes.numbers += 1;
            let text = || String::from_utf8_lossy(field.trim_ascii()).into_owned();
            match shape {
                Shape::Whole => {}
                Shape::Point { grouped } => {
                    shapes.points += 1;
                    shapes.grouped |= grouped;
                }
                Shape::Comma { grouped } => {
                    shapes.commas += 1;
                    shapes.grouped |= grouped;
                }
                Shape::EitherComma => {
                    shapes.either_comma.get_or_insert_with(|| (text(), line));
                }
                Shape::EitherPoint => {
                    shapes.either_point.get_or_insert_with(|| (text(), line));
                }
            }
        }
        shapes
    }
}

impl Shapes {
    /// Returns what these numbers show of how numbers are written: `decimal commas`.
    fn style(&self, numbers: Numbers) -> Option<String> {
        let shows = self.points + self.commas > 0
            || self.either_point.is_some()
            || self.either_comma.is_some();
        let style = match numbers.decimal {
            b',' => "decimal commas",
            _ => "decimal points",
        };
        shows.then(|| style.to_owned())
    }
}
