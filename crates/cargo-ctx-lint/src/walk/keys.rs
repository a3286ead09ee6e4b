//! Declarations of keys: `key! { … }` and `impl Key for …`.

use syn::{Expr, Stmt};

use super::state::Walk;
use crate::key::KeyDecl;
use crate::resolve::{Namespace, Ours};
use crate::rules;

impl Walk<'_> {
    pub(super) fn keys(&mut self, mac: &syn::Macro) {
        for key in KeyDecl::parse_all(mac).unwrap_or_default() {
            rules::infrastructure_in_key::check(&mut self.cx, &key.ident, &key.value);
            if let Some(option) = key.option("print") {
                let removal = self.with_comma(option.span().byte_range());
                rules::secret_key_prints::check(
                    &mut self.cx,
                    &key.ident,
                    &key.value,
                    option.span(),
                    removal,
                );
            }
        }
    }

    /// The range of an option with the comma in front of it.
    fn with_comma(&self, option: std::ops::Range<usize>) -> Option<std::ops::Range<usize>> {
        let before = self.cx.text.slice(&(0..option.start)).trim_end();
        before.ends_with(',').then(|| before.len() - 1..option.end)
    }

    pub(super) fn key_impl(&mut self, item: &syn::ItemImpl) {
        let Some((path, _)) = &item.trait_ else {
            return;
        };
        let syn::Type::Path(this) = &*item.self_ty else {
            return;
        };
        let Some(key) = this.path.segments.last().map(|segment| &segment.ident) else {
            return;
        };
        if self.cx.ours(path, Namespace::Type) != Some(Ours::Key) {
            return;
        }
        let value = item.items.iter().find_map(|inner| match inner {
            syn::ImplItem::Type(value) if value.ident == "Value" => Some(&value.ty),
            _ => None,
        });
        let Some(value) = value else { return };
        rules::infrastructure_in_key::check(&mut self.cx, key, value);
        for inner in &item.items {
            let syn::ImplItem::Fn(method) = inner else {
                continue;
            };
            let silent = matches!(method.block.stmts.last(), Some(Stmt::Expr(Expr::Path(path), None))
                if path.path.is_ident("None"));
            if method.sig.ident == "display" && !silent {
                let span = method.sig.ident.span();
                rules::secret_key_prints::check(&mut self.cx, key, value, span, None);
            }
        }
    }
}
