//! Reports as Parquet, with the columns of the CSV table.

use std::sync::Arc;

use parquet::data_type::{ByteArray, ByteArrayType, DataType, DoubleType, Int32Type};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::parser::parse_message_type;

use super::ExportError;
use super::table::{Cell, Column, Kind, Layout};
use crate::records::ReportEntry;

/// Rows written together; readers skip what they do not need in pieces of this size.
const ROW_GROUP: usize = 65_536;

/// The file of `entries`, one row a disc.
///
/// # Errors
/// If the file cannot be put together.
pub(super) fn parquet(entries: &[ReportEntry]) -> Result<Vec<u8>, ExportError> {
    table(entries).map_err(|error| ExportError::Table(error.to_string()))
}

fn table(entries: &[ReportEntry]) -> Result<Vec<u8>, ParquetError> {
    let layout = Layout::of(entries);
    let columns = layout.columns();
    let schema = Arc::new(parse_message_type(&schema(&columns))?);
    let by = format!("{} {}", env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"));
    let properties = Arc::new(WriterProperties::builder().set_created_by(by).build());
    let mut writer = SerializedFileWriter::new(Vec::new(), schema, properties)?;
    let rows: Vec<Vec<Cell>> = entries.iter().flat_map(|entry| layout.rows(entry)).collect();
    for group in rows.chunks(ROW_GROUP) {
        let mut out = writer.next_row_group()?;
        for (place, column) in columns.iter().enumerate() {
            let cells = || group.iter().map(|row| &row[place]);
            match column.kind {
                Kind::Text => write::<ByteArrayType>(&mut out, cells().map(text))?,
                Kind::Integer => write::<Int32Type>(&mut out, cells().map(integer))?,
                Kind::Real => write::<DoubleType>(&mut out, cells().map(real))?,
            }
        }
        out.close()?;
    }
    writer.into_inner()
}

fn schema(columns: &[Column]) -> String {
    let field = |column: &Column| {
        let kind = match column.kind {
            Kind::Text => format!("BYTE_ARRAY {} (UTF8)", column.name),
            Kind::Integer => format!("INT32 {}", column.name),
            Kind::Real => format!("DOUBLE {}", column.name),
        };
        format!("OPTIONAL {kind};")
    };
    format!("message grades {{ {} }}", columns.iter().map(field).collect::<Vec<_>>().join(" "))
}

/// Writes the next column; `None` is a missing value.
fn write<T: DataType>(
    out: &mut SerializedRowGroupWriter<'_, Vec<u8>>,
    cells: impl Iterator<Item = Option<T::T>>,
) -> Result<(), ParquetError> {
    let cells: Vec<Option<T::T>> = cells.collect();
    let levels: Vec<i16> = cells.iter().map(|cell| i16::from(cell.is_some())).collect();
    let values: Vec<T::T> = cells.into_iter().flatten().collect();
    let mut column = out.next_column()?.ok_or_else(|| ParquetError::General("a column too many".to_owned()))?;
    column.typed::<T>().write_batch(&values, Some(&levels), None)?;
    column.close()
}

fn text(cell: &Cell) -> Option<ByteArray> {
    if let Cell::Text(text) = cell { Some(text.as_str().into()) } else { None }
}

fn integer(cell: &Cell) -> Option<i32> {
    if let Cell::Integer(number) = cell { Some(*number) } else { None }
}

fn real(cell: &Cell) -> Option<f64> {
    if let Cell::Real(number) = cell { Some(*number) } else { None }
}
