//! How far the parts of a file reach, so that a comment above one can cover it.

use syn::spanned::Spanned;
use syn::visit::{self, Visit};

use crate::source::Text;

/// First and last lines of everything that a comment above can cover.
#[derive(Default)]
pub(super) struct Extents {
    /// In the order of the walk.
    pub(super) lines: Vec<(usize, usize)>,
}

impl Extents {
    /// Collects them from a file.
    pub(super) fn of(text: &Text, file: &syn::File) -> Extents {
        let mut visitor = ExtentVisitor {
            text,
            extents: Vec::new(),
        };
        visitor.visit_file(file);
        Extents {
            lines: visitor.extents,
        }
    }
}

struct ExtentVisitor<'t> {
    text: &'t Text,
    extents: Vec<(usize, usize)>,
}

impl ExtentVisitor<'_> {
    fn add(&mut self, node: &impl Spanned) {
        let range = node.span().byte_range();
        let start = self.text.position(range.start).line;
        self.extents
            .push((start, self.text.position(range.end).line));
    }
}

impl<'ast> Visit<'ast> for ExtentVisitor<'_> {
    fn visit_item(&mut self, node: &'ast syn::Item) {
        self.add(node);
        visit::visit_item(self, node);
    }

    fn visit_impl_item(&mut self, node: &'ast syn::ImplItem) {
        self.add(node);
        visit::visit_impl_item(self, node);
    }

    fn visit_trait_item(&mut self, node: &'ast syn::TraitItem) {
        self.add(node);
        visit::visit_trait_item(self, node);
    }

    fn visit_stmt(&mut self, node: &'ast syn::Stmt) {
        self.add(node);
        visit::visit_stmt(self, node);
    }

    fn visit_field(&mut self, node: &'ast syn::Field) {
        self.add(node);
        visit::visit_field(self, node);
    }

    fn visit_variant(&mut self, node: &'ast syn::Variant) {
        self.add(node);
        visit::visit_variant(self, node);
    }

    fn visit_arm(&mut self, node: &'ast syn::Arm) {
        self.add(node);
        visit::visit_arm(self, node);
    }
}
