//! Text from outside, on one line.

use std::fmt::{self, Write};

/// `text` on one line: control characters, line separators and what turns the direction of text
/// around are escaped, so that a cause, a name or a header cannot forge a line of a log or hide in
/// one.
///
/// # Examples
///
/// ```
/// use tokio_ctx_core::owner::one_line;
///
/// assert_eq!(one_line("paid\nERROR \u{1b}[2J").to_string(), "paid\\nERROR \\u{1b}[2J");
/// assert_eq!(one_line("C:\\temp „Grüße“").to_string(), "C:\\temp „Grüße“");
/// ```
pub fn one_line<T: fmt::Display>(text: T) -> impl fmt::Display + fmt::Debug {
    OneLine(text)
}

/// See [`one_line`].
#[derive(Clone, Copy)]
pub(crate) struct OneLine<T>(pub(crate) T);

impl<T: fmt::Display> fmt::Display for OneLine<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(Escaping(f), "{}", self.0)
    }
}

impl<T: fmt::Display> fmt::Debug for OneLine<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

struct Escaping<'a, 'b>(&'a mut fmt::Formatter<'b>);

impl Write for Escaping<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let mut rest = text;
        while let Some(at) = rest.find(must_be_escaped) {
            let (plain, from) = rest.split_at(at);
            self.0.write_str(plain)?;
            let mut chars = from.chars();
            if let Some(char) = chars.next() {
                write!(self.0, "{}", char.escape_default())?;
            }
            rest = chars.as_str();
        }
        self.0.write_str(rest)
    }
}

fn must_be_escaped(char: char) -> bool {
    char.is_control()
        || matches!(char,
            // Directions, invisible marks, and separators of lines and paragraphs. The joiners
            // stay, which emoji and some scripts need.
            '\u{61c}' | '\u{200b}' | '\u{200e}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e007f}')
}
