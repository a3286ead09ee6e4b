//! The name that was probably meant by one that does not exist.

/// The known name that differs least from a misspelt one.
pub(crate) fn nearest(name: &str, known: &[&'static str]) -> Option<&'static str> {
    let distance = |known: &&&'static str| edit_distance(name, known);
    let nearest = known.iter().min_by_key(distance)?;
    (edit_distance(name, nearest) <= 3).then_some(*nearest)
}

fn edit_distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (at, a) in a.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], at + 1);
        for (column, b) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(a != *b);
            diagonal = row[column + 1];
            row[column + 1] = replaced.min(diagonal + 1).min(row[column] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn a_misspelt_name_finds_its_neighbour() {
        let known = ["bare-spawn", "guard-dropped"];
        assert_eq!(nearest("guard-droped", &known), Some("guard-dropped"));
        assert_eq!(nearest("something-else-entirely", &known), None);
    }
}
