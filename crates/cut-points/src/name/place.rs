//! The chain of awaits at one point.

use std::fmt;

/// Where a call stood when it was cut: the chain of its awaits.
///
/// It is printed innermost first, with what is awaited there in brackets:
/// `src/pool.rs:41:18 < src/handler.rs:12:30 [tokio::sync::Semaphore::acquire]`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    pub(crate) frames: Vec<Frame>,
    pub(crate) library: Vec<Frame>,
    pub(crate) awaited: Option<String>,
}

/// One await of a [`Place`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    pub(crate) function: Option<String>,
    pub(crate) file: String,
    pub(crate) line: u32,
    pub(crate) column: u32,
    pub(crate) source: Option<String>,
}

impl Place {
    /// The awaits in files of the project, the innermost first.
    pub fn frames(&self) -> &[Frame] {
        &self.frames
    }

    /// The awaits below them in crates that cargo fetched, the innermost first, where those were
    /// built with line tables. A file begins with the crate's name and version.
    pub fn library_frames(&self) -> &[Frame] {
        &self.library
    }

    /// What the innermost of them awaits, if that belongs to a library.
    pub fn awaited(&self) -> Option<&str> {
        self.awaited.as_deref()
    }
}

impl Frame {
    /// The path of the function, which short debug information may not have.
    pub fn function(&self) -> Option<&str> {
        self.function.as_deref()
    }

    /// The text of the line, if the file is there.
    pub fn source(&self) -> Option<&str> {
        self.source.as_deref()
    }

    /// The file, relative to the workspace where that is known.
    pub fn file(&self) -> &str {
        &self.file
    }

    /// The line, from 1.
    pub fn line(&self) -> u32 {
        self.line
    }

    /// The column, from 1; 0 where it is not known.
    pub fn column(&self) -> u32 {
        self.column
    }
}

impl fmt::Display for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.line)?;
        match self.column {
            0 => Ok(()),
            column => write!(f, ":{column}"),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, frame) in self.frames.iter().enumerate() {
            if index > 0 {
                f.write_str(" < ")?;
            }
            write!(f, "{frame}")?;
        }
        match (&self.awaited, self.frames.is_empty()) {
            (Some(awaited), true) => write!(f, "[{awaited}]"),
            (Some(awaited), false) => write!(f, " [{awaited}]"),
            (None, true) => f.write_str("an await without a name"),
            (None, false) => Ok(()),
        }
    }
}
