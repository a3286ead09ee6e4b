//! Text that stays on its line.

/// Text from outside, on one line and with nothing in it that a terminal acts on.
pub(crate) fn one_line(text: &str) -> String {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let joined = lines.collect::<Vec<_>>().join(", ");
    let mut escaped = String::with_capacity(joined.len());
    for char in joined.chars() {
        if char.is_control() {
            escaped.extend(char.escape_default());
        } else {
            escaped.push(char);
        }
    }
    escaped
}
