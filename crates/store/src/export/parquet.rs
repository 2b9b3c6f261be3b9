//! One row a call, with typed columns. [`COLUMNS`] is the schema: a column is added by adding a
//! line. Arguments and answers are JSON text, so that numbers keep their digits.

use std::{borrow::Cow, io::Write, sync::Arc};

use lockgate_model::{Era, Verdict};
use parquet::{
    basic::{
        Compression, ConvertedType, LogicalType, Repetition, TimeUnit, Type as Physical, ZstdLevel,
    },
    data_type::{ByteArray, ByteArrayType, Int64Type},
    errors::ParquetError,
    file::{
        properties::WriterProperties,
        writer::{SerializedColumnWriter, SerializedFileWriter},
    },
    schema::types::{Type, TypePtr},
};

use super::{Call, ExportFault, ocsf::outcome_word};

/// A row group is closed when it holds so many rows.
const ROWS_MAX: usize = 50_000;
/// Or rows that take so much memory. In bytes.
const ROWS_MAX_BYTES: usize = 32 * 1024 * 1024;

/// Where a column's values come from.
#[derive(Clone, Copy)]
enum Values {
    /// Milliseconds since the Unix epoch, UTC.
    Time(fn(&Call) -> i64),
    /// A whole number; it may be missing.
    Number(fn(&Call) -> Option<u64>),
    /// Text; it may be missing.
    Text(fn(&Call) -> Option<Cow<'_, str>>),
    /// A list of texts; it may be empty.
    List(fn(&Call) -> &[String]),
}

const COLUMNS: [(&str, Values); 31] = [
    ("seq", Values::Number(|call| Some(call.seq))),
    ("time", Values::Time(|call| call.time.millis())),
    ("hash", Values::Text(|call| shown(call.hash))),
    ("call", Values::Text(|call| text(&call.intent.call))),
    ("trace", Values::Text(|call| text(&call.intent.trace))),
    ("session", Values::Text(|call| maybe(&call.intent.session))),
    ("issuer", Values::Text(|call| text(&call.intent.issuer))),
    ("subject", Values::Text(|call| text(&call.intent.subject))),
    ("client", Values::Text(|call| maybe(&call.intent.client))),
    ("groups", Values::List(|call| &call.intent.groups)),
    ("token", Values::Text(|call| shown(call.intent.token))),
    ("peer", Values::Text(|call| text(&call.intent.peer))),
    ("connection", Values::Text(|call| text(&call.intent.connection))),
    ("era", Values::Text(|call| text(era(call.intent.era)))),
    ("method", Values::Text(|call| text(&call.intent.method))),
    ("action", Values::Text(|call| text(&call.intent.action))),
    (
        "target",
        Values::Text(|call| Some(&*call.intent.target).filter(|t| !t.is_empty()).map(Cow::from)),
    ),
    ("definition", Values::Text(|call| shown(call.intent.definition?))),
    ("arguments", Values::Text(arguments)),
    ("arguments_digest", Values::Text(|call| shown(call.intent.arguments_digest))),
    ("facts", Values::List(|call| &call.intent.facts)),
    ("verdict", Values::Text(|call| text(verdict(&call.intent.verdict)))),
    ("policies", Values::List(|call| call.intent.verdict.policies())),
    ("snapshot", Values::Text(|call| shown(call.intent.snapshot))),
    ("ended", Values::Text(|call| text(call.end.as_str()))),
    ("status", Values::Text(|call| text(outcome_word(call.outcome()?.status)))),
    ("reason", Values::Text(|call| text(call.reason()?))),
    ("elapsed_us", Values::Number(|call| Some(call.outcome()?.elapsed_us))),
    ("bytes", Values::Number(Call::answer_bytes)),
    ("messages", Values::Number(|call| Some(call.messages))),
    ("result", Values::Text(|call| text(call.result()?.get()))),
];

/// A Parquet file that is being written. Without [`Rows::finish`] no reader takes it for one.
pub(super) struct Rows<W: Write + Send> {
    file: SerializedFileWriter<W>,
    rows: Vec<Call>,
    bytes: usize,
}

impl<W: Write + Send> Rows<W> {
    pub(super) fn new(out: W) -> Result<Self, ExportFault> {
        let properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(ZstdLevel::try_new(3)?))
            .set_created_by("lockgate".to_owned())
            .build();
        let file = SerializedFileWriter::new(out, schema()?, Arc::new(properties))?;
        Ok(Self { file, rows: Vec::new(), bytes: 0 })
    }

    /// Adds a row. Always tells that one was written.
    pub(super) fn push(&mut self, call: Call) -> Result<bool, ExportFault> {
        self.bytes += call.memory_bytes();
        self.rows.push(call);
        if self.rows.len() >= ROWS_MAX || self.bytes >= ROWS_MAX_BYTES {
            self.flush()?;
        }
        Ok(true)
    }

    pub(super) fn finish(mut self) -> Result<(), ExportFault> {
        self.flush()?;
        self.file.close()?;
        Ok(())
    }

    fn flush(&mut self) -> Result<(), ExportFault> {
        if self.rows.is_empty() {
            return Ok(());
        }
        let mut group = self.file.next_row_group()?;
        for (_, values) in COLUMNS {
            let missing = || ParquetError::General("a column is missing".to_owned());
            let mut column = group.next_column()?.ok_or_else(missing)?;
            values.write(&self.rows, &mut column)?;
            column.close()?;
        }
        group.close()?;
        self.rows.clear();
        self.bytes = 0;
        Ok(())
    }
}

impl Values {
    fn write(
        self,
        rows: &[Call],
        column: &mut SerializedColumnWriter<'_>,
    ) -> Result<(), ParquetError> {
        match self {
            Self::Time(of) => {
                let values: Vec<_> = rows.iter().map(of).collect();
                column.typed::<Int64Type>().write_batch(&values, None, None)?;
            }
            Self::Number(of) => {
                let (levels, values) = optional(rows.iter().map(of));
                // Sequence numbers and sizes stay far below 2^63.
                let values: Vec<_> =
                    values.into_iter().map(|n| i64::try_from(n).unwrap_or(i64::MAX)).collect();
                column.typed::<Int64Type>().write_batch(&values, Some(&levels), None)?;
            }
            Self::Text(of) => {
                let (levels, values) = optional(rows.iter().map(of));
                let values: Vec<_> = values.iter().map(|text| bytes(text)).collect();
                column.typed::<ByteArrayType>().write_batch(&values, Some(&levels), None)?;
            }
            Self::List(of) => {
                let (mut definitions, mut repetitions) = (Vec::new(), Vec::new());
                let mut values = Vec::new();
                for list in rows.iter().map(of) {
                    // One level pair an item; an empty list has a pair without a value.
                    definitions.extend(std::iter::repeat_n(
                        i16::from(!list.is_empty()),
                        list.len().max(1),
                    ));
                    repetitions.push(0);
                    repetitions.extend(std::iter::repeat_n(1, list.len().saturating_sub(1)));
                    values.extend(list.iter().map(|item| bytes(item)));
                }
                column.typed::<ByteArrayType>().write_batch(
                    &values,
                    Some(&definitions),
                    Some(&repetitions),
                )?;
            }
        }
        Ok(())
    }

    fn schema(self, name: &str) -> Result<Type, ParquetError> {
        let text = |name, repetition| {
            Type::primitive_type_builder(name, Physical::BYTE_ARRAY)
                .with_repetition(repetition)
                .with_logical_type(Some(LogicalType::String))
                .with_converted_type(ConvertedType::UTF8)
                .build()
        };
        match self {
            Self::Time(_) => Type::primitive_type_builder(name, Physical::INT64)
                .with_repetition(Repetition::REQUIRED)
                .with_logical_type(Some(LogicalType::timestamp(true, TimeUnit::MILLIS)))
                .build(),
            Self::Number(_) => Type::primitive_type_builder(name, Physical::INT64)
                .with_repetition(Repetition::OPTIONAL)
                .build(),
            Self::Text(_) => text(name, Repetition::OPTIONAL),
            // As the format's LogicalTypes.md spells lists.
            Self::List(_) => {
                let list = Type::group_type_builder("list")
                    .with_repetition(Repetition::REPEATED)
                    .with_fields(vec![Arc::new(text("element", Repetition::REQUIRED)?)])
                    .build()?;
                Type::group_type_builder(name)
                    .with_repetition(Repetition::REQUIRED)
                    .with_logical_type(Some(LogicalType::List))
                    .with_converted_type(ConvertedType::LIST)
                    .with_fields(vec![Arc::new(list)])
                    .build()
            }
        }
    }
}

fn schema() -> Result<TypePtr, ParquetError> {
    let fields = COLUMNS.iter().map(|(name, values)| values.schema(name).map(Arc::new));
    let fields = fields.collect::<Result<Vec<_>, _>>()?;
    Ok(Arc::new(Type::group_type_builder("call").with_fields(fields).build()?))
}

/// Definition levels beside the values that are there.
fn optional<T>(values: impl Iterator<Item = Option<T>>) -> (Vec<i16>, Vec<T>) {
    let (mut levels, mut there) = (Vec::new(), Vec::new());
    for value in values {
        levels.push(i16::from(value.is_some()));
        there.extend(value);
    }
    (levels, there)
}

fn bytes(text: &str) -> ByteArray {
    ByteArray::from(text.as_bytes().to_vec())
}

fn text(text: &str) -> Option<Cow<'_, str>> {
    Some(text.into())
}

fn maybe(text: &Option<String>) -> Option<Cow<'_, str>> {
    text.as_deref().map(Cow::from)
}

fn shown<'a>(digest: lockgate_model::Digest) -> Option<Cow<'a, str>> {
    Some(digest.to_string().into())
}

fn arguments(call: &Call) -> Option<Cow<'_, str>> {
    let arguments = &call.intent.arguments;
    (!arguments.is_null()).then(|| arguments.to_string().into())
}

const fn era(era: Era) -> &'static str {
    match era {
        Era::Legacy => "legacy",
        Era::Modern => "modern",
    }
}

const fn verdict(verdict: &Verdict) -> &'static str {
    match verdict {
        Verdict::Allow { .. } => "allow",
        Verdict::Ask(_) => "ask",
        Verdict::Deny(_) => "deny",
    }
}
