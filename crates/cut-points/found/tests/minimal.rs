//! The findings without `cut-points`: complete programs, which `docs/appendix/found-reports.md`
//! quotes and a stranger can run.

use std::path::Path;
use std::process::Command;

use cut_points_found::postgres;

/// What a server that answers before the drop can cost.
const TRIES: usize = 20;

const REPORTS: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../../../docs/appendix/found-reports.md"
);

/// Runs a program, which must end well: it asserts the fault that it is about.
fn shows(binary: &str, name: &str) {
    let (host, port) = postgres();
    for number in 1..=TRIES {
        let output = Command::new(binary)
            .env(
                "DATABASE_URL",
                format!("postgres://postgres@{host}:{port}/postgres"),
            )
            .output()
            .expect("it starts");
        let said = String::from_utf8_lossy(&output.stdout);
        println!("{name}, try {number}: {}", said.trim());
        if output.status.success() {
            return is_quoted(name);
        }
        println!("{}", String::from_utf8_lossy(&output.stderr));
    }
    panic!("{name} did not show it in {TRIES} tries");
}

/// The page has the program as it is, and it is short.
fn is_quoted(name: &str) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("src/bin/{name}.rs"));
    let program = std::fs::read_to_string(file).expect("the program");
    let page = std::fs::read_to_string(REPORTS).expect("the page");
    let (_, code) = program.split_once("\n\n").expect("a title");
    assert!(
        page.contains(code),
        "{name}.rs is not what {REPORTS} quotes"
    );
    let lines = code.lines().filter(|line| !line.is_empty()).count();
    assert!(lines <= 25, "{name}.rs has {lines} lines");
}

macro_rules! programs {
    ($($name:ident)*) => {$(
        #[test]
        fn $name() {
            shows(env!(concat!("CARGO_BIN_EXE_", stringify!($name))), stringify!($name));
        }
    )*};
}

programs! {
    async_lock_barrier
    kanal_recv
    sqlx_begin
    sqlx_copy_finish
    sqlx_copy_in_raw
    sqlx_copy_in_raw_timeout
    sqlx_migrate
    sqlx_release_now
    tokio_barrier
    tokio_postgres_prepare
}
