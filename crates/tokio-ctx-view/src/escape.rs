//! Text from outside, on one line.

/// `text` without what could forge a line, move the cursor or turn the direction of writing.
pub(crate) fn escaped(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() || changes_direction(c) {
            line.extend(c.escape_default());
        } else {
            line.push(c);
        }
    }
    line
}

/// Marks, embeddings, overrides and isolates of bidirectional text, and the separators of lines.
fn changes_direction(c: char) -> bool {
    matches!(c, '\u{061c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::escaped;

    #[test]
    fn nothing_from_outside_moves_the_cursor_or_turns_the_text() {
        assert_eq!(escaped("a\nb\x1b[2J"), "a\\nb\\u{1b}[2J");
        assert_eq!(escaped("user\u{202e}txt.exe"), "user\\u{202e}txt.exe");
        assert_eq!(escaped("naïve 名前 <script>"), "naïve 名前 <script>");
    }
}
