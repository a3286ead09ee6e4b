//! The walk through one file: keeps track of where it is, and shows each rule the nodes it
//! asks about.

mod calls;
mod flow;
mod function;
mod keys;
mod state;
mod visit;

use std::collections::HashSet;

use syn::visit::Visit;

use state::Walk;

use crate::cx::Cx;
use crate::env::Env;
use crate::finding::Finding;
use crate::resolve::{Namespace, Ours, cfg_test};

/// Everything a walk needs besides the file itself.
pub(crate) struct Surroundings<'a> {
    /// The names of the workspace.
    pub(crate) tables: &'a crate::resolve::Tables,
    /// The configuration.
    pub(crate) config: &'a crate::config::Config,
    /// Types of the package that are sent over channels.
    pub(crate) messages: Option<&'a HashSet<String>>,
}

/// Runs every rule over a file.
pub(crate) fn check_file(
    around: &Surroundings<'_>,
    entry: &crate::source::Entry,
    text: &crate::source::Text,
    file: &syn::File,
) -> Vec<Finding> {
    let harness = entry.class.is_harness()
        || cfg_test(&file.attrs)
        || around.tables.is_test_module(&entry.module)
        || around.config.is_test_path(&entry.shown);
    let cx = Cx {
        entry,
        text,
        tables: around.tables,
        config: around.config,
        messages: around.messages,
        module: entry.module.clone(),
        blocks: Vec::new(),
        env: Env::default(),
        functions: Vec::new(),
        root: false,
        harness,
        covered: false,
        loop_to_grow_in: None,
        in_async: false,
        deferred: false,
        in_loop: None,
        uses_ours: false,
        context_fields: HashSet::new(),
        starter_fields: HashSet::new(),
        calls: calls::of(file),
        findings: Vec::new(),
    };
    let mut walk = Walk {
        cx,
        awaited: None,
        known_async: None,
        in_trait_impl: false,
        at_crate_root: true,
        ended_by_break: Vec::new(),
    };
    walk.cx.uses_ours = ["tokio_ctx", "spawn_scoped"]
        .iter()
        .any(|n| text.as_str().contains(n))
        || walk.cx.ours(
            &syn::Ident::new("Context", proc_macro2::Span::call_site()).into(),
            Namespace::Type,
        ) == Some(Ours::Context);
    walk.collect_context_fields(&file.items);
    walk.visit_file(file);
    walk.cx.findings
}
