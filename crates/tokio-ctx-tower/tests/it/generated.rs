//! The checked-in code of the protocols, which needs no `protoc` on any machine.

use std::fs;
use std::path::{Path, PathBuf};

/// Where the protocols of this workspace are, and the code made from each.
const PROTOCOLS: [(&str, &str); 2] = [
    ("tests/it/grpc/echo.proto", "tests/it/grpc/echo.gen.rs"),
    (
        "../examples/proto/fleet.proto",
        "../examples/src/bin/fleet/fleet.gen.rs",
    ),
];

#[test]
fn the_generated_code_is_that_of_the_protocols() {
    for (protocol, code) in PROTOCOLS {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let (protocol, code) = (root.join(protocol), root.join(code));
        // A packaged crate has no examples of the workspace beside it.
        if !protocol.is_file() && protocol.components().any(|part| part.as_os_str() == "..") {
            continue;
        }
        let fresh = generate(&protocol);
        let is_current = fs::read_to_string(&code).is_ok_and(|old| old == fresh);
        if !is_current {
            fs::write(&code, fresh).unwrap();
            panic!(
                "{} was out of date, and is now written anew",
                code.display()
            );
        }
    }
}

fn generate(protocol: &PathBuf) -> String {
    let directory = tempfile::tempdir().unwrap();
    let parsed = protox::compile([protocol], [protocol.parent().unwrap()]).unwrap();
    tonic_prost_build::configure()
        .build_transport(false)
        .out_dir(directory.path())
        .compile_fds(parsed)
        .unwrap();
    let mut written = fs::read_dir(directory.path()).unwrap();
    fs::read_to_string(written.next().unwrap().unwrap().path()).unwrap()
}
