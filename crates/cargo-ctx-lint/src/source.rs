//! One source file: its text, where it stands in the workspace, and how byte
//! offsets become lines and columns.

use std::ops::Range;

/// What kind of code a file holds, judged by where it stands in its package.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    /// Library or binary code: every rule applies.
    Source,
    /// A build script: its `main` is a root, nothing else differs.
    Build,
    /// An example: `main` is a root, the rest is code people copy.
    Example,
    /// Integration tests, which the test harness calls.
    Test,
    /// Benchmarks: as tests.
    Bench,
}

impl Class {
    /// Whether everything in the file is called by a harness.
    pub(crate) fn is_harness(self) -> bool {
        matches!(self, Class::Test | Class::Bench)
    }
}

/// A file to read: found by the workspace walk, not opened yet.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    /// Where to open it.
    pub(crate) path: std::path::PathBuf,
    /// How reports name it: relative to the workspace, with `/`.
    pub(crate) shown: String,
    /// The name of the package it belongs to; empty for a loose file.
    pub(crate) package: String,
    /// The crate and module it is, for example `["shop#", "cart", "price"]`.
    pub(crate) module: Vec<String>,
    /// What kind of code it holds.
    pub(crate) class: Class,
}

/// The text of a file and the offsets of its lines.
#[derive(Debug)]
pub(crate) struct Text {
    text: String,
    line_starts: Vec<usize>,
}

/// A place in a file, counted from one, columns in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Position {
    /// The line.
    pub(crate) line: usize,
    /// The column.
    pub(crate) column: usize,
}

impl Text {
    /// Takes a file's content, blanking a byte-order mark and a shebang line:
    /// the parser would cut them off and shift every offset.
    pub(crate) fn new(mut text: String) -> Text {
        let mut blank = 0;
        if text.starts_with('\u{feff}') {
            blank = '\u{feff}'.len_utf8();
        }
        if text[blank..].starts_with("#!") && !is_inner_attribute(&text[blank..]) {
            blank += text[blank..].find('\n').unwrap_or(text.len() - blank);
        }
        if blank > 0 {
            text.replace_range(..blank, &" ".repeat(blank));
        }
        let line_starts = std::iter::once(0)
            .chain(
                text.bytes()
                    .enumerate()
                    .filter(|(_, b)| *b == b'\n')
                    .map(|(at, _)| at + 1),
            )
            .collect();
        Text { text, line_starts }
    }

    /// The whole text.
    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }

    /// How many lines it has.
    pub(crate) fn num_lines(&self) -> usize {
        self.line_starts.len() - usize::from(self.text.ends_with('\n') || self.text.is_empty())
    }

    /// The line and column of a byte offset.
    pub(crate) fn position(&self, offset: usize) -> Position {
        let line = self.line_starts.partition_point(|start| *start <= offset);
        let start = self.line_starts[line - 1];
        Position {
            line,
            column: self.text[start..offset].chars().count() + 1,
        }
    }

    /// The text of one line, counted from one, without its end.
    pub(crate) fn line(&self, line: usize) -> &str {
        let start = self.line_starts[line - 1];
        let end = self
            .line_starts
            .get(line)
            .copied()
            .unwrap_or(self.text.len());
        self.text[start..end].trim_end_matches(['\n', '\r'])
    }

    /// The text of a byte range.
    pub(crate) fn slice(&self, range: &Range<usize>) -> &str {
        &self.text[range.clone()]
    }
}

fn is_inner_attribute(text: &str) -> bool {
    text[2..].trim_start().starts_with('[')
}
