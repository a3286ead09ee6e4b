//! What a program without a feature reads: each in `features` is one that rustc refuses, in words
//! that name the feature. They are checked against the door with fewer features than the workspace
//! has, so in a package of their own.

use std::fs;
use std::path::Path;
use std::process::Command;

#[test]
fn rustc_names_the_feature_that_is_missing() {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    let root = tests.parent().expect("the workspace is around");
    let package = tempfile::tempdir().expect("a folder");
    let package = package.path();
    fs::create_dir(package.join("src")).expect("it is new");
    let mut programs: Vec<_> = fs::read_dir(tests.join("features"))
        .expect("the programs are there")
        .map(|entry| entry.expect("it can be read").path())
        .collect();
    programs.sort();
    assert!(programs.len() >= 12, "{programs:?}");
    for program in programs {
        let text = fs::read_to_string(&program).expect("it is text");
        let words = |start| text.lines().find_map(|line| line.strip_prefix(start));
        let features = words("//! features:").expect("it has features").trim();
        let says = words("//! rustc says:").expect("it says something").trim();

        fs::write(package.join("src/lib.rs"), &text).expect("it is ours");
        // The versions are the workspace's, so nothing has to be fetched.
        fs::copy(root.join("Cargo.lock"), package.join("Cargo.lock")).expect("it is locked");
        let door = root.join("crates/tokio-ctx");
        let manifest = format!(
            "[package]\nname = \"missing\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\
             [workspace]\n\
             [dependencies.tokio-ctx]\npath = {door:?}\ndefault-features = false\n\
             features = [{}]\n",
            match features {
                "" => String::new(),
                features => format!("{features:?}"),
            }
        );
        fs::write(package.join("Cargo.toml"), manifest).expect("it is ours");
        let checked = Command::new(env!("CARGO"))
            .args(["check", "--quiet", "--offline", "--manifest-path"])
            .arg(package.join("Cargo.toml"))
            .arg("--target-dir")
            .arg(root.join("target/features"))
            .output()
            .expect("cargo runs");
        let stderr = String::from_utf8_lossy(&checked.stderr);
        assert!(
            !checked.status.success(),
            "{}: it compiles",
            program.display()
        );
        assert!(
            stderr.contains("could not compile `missing`"),
            "{}: {stderr}",
            program.display()
        );
        assert!(stderr.contains(says), "{}: {stderr}", program.display());
    }
}
