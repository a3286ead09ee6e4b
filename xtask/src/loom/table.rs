//! The table of models: what was explored, how long it took, and which faults each finds.

/// What a model printed about itself.
#[derive(Debug, PartialEq)]
pub(super) struct Row {
    pub(super) model: String,
    executions: String,
    seconds: String,
    bound: String,
}

/// The lines `model=… executions=… seconds=… bound=…` of a run.
pub(super) fn rows(output: &str) -> Vec<Row> {
    let mut rows: Vec<Row> = output.lines().filter_map(row).collect();
    rows.sort_by(|one, other| one.model.cmp(&other.model));
    rows
}

fn row(line: &str) -> Option<Row> {
    let mut words = line.split_whitespace();
    let mut field = |name: &str| {
        let value = words.next()?.strip_prefix(name)?.strip_prefix('=')?;
        Some(value.to_owned())
    };
    Some(Row {
        model: field("model")?,
        executions: field("executions")?,
        seconds: field("seconds")?,
        bound: field("bound")?,
    })
}

/// One line per model, with its faults.
pub(super) fn table(rows: &[Row], faults_of: impl Fn(&str) -> Vec<String>) -> String {
    let mut text = format!(
        "  {:<44} {:>10} {:>8} {:>5}  mutants\n",
        "model", "executions", "seconds", "bound"
    );
    for row in rows {
        text.push_str(&format!(
            "  {:<44} {:>10} {:>8} {:>5}  {}\n",
            row.model,
            row.executions,
            row.seconds,
            row.bound,
            faults_of(&row.model).join(" ")
        ));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_found_among_other_lines() {
        let output = "test b ... \nmodel=b executions=12 seconds=0.1 bound=3\nok\nmodel=a \
                      executions=7 seconds=0.2 bound=2\nmodel=c executions=7\n";
        let rows = rows(output);
        assert_eq!(rows.len(), 2);
        assert_eq!(
            (rows[0].model.as_str(), rows[1].executions.as_str()),
            ("a", "12")
        );
        let table = table(&rows, |model| vec![format!("fault-of-{model}")]);
        assert!(table.contains("fault-of-a") && table.lines().count() == 3);
    }
}
