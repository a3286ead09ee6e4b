//! What one parsed file tells the others: its modules, imports and types.

use proc_macro2::TokenTree;
use syn::visit::Visit;
use syn::{Attribute, GenericArgument, Item, PathArguments, Type, UseTree};

use super::data::{Facts, Name, Namespace, PathRef, Scope, Shape};
use crate::key::KeyDecl;

/// Traits whose implementors are one call made into a value, or the argument of one.
const CALLS: [&str; 7] = [
    "Future",
    "FusedFuture",
    "Stream",
    "FusedStream",
    "Iterator",
    "FromRequest",
    "FromRequestParts",
];

/// The path of a `syn` path.
pub(crate) fn path_ref(path: &syn::Path) -> PathRef {
    PathRef {
        global: path.leading_colon.is_some(),
        segments: path.segments.iter().map(|s| name_of(&s.ident)).collect(),
    }
}

/// Collects what a file tells. `module` is the file's own path.
pub(crate) fn collect_file(module: &[String], file: &syn::File) -> Facts {
    let mut facts = Facts::default();
    collect_module(module, &file.items, &mut facts);
    facts
}

/// The names that the items inside a block bring in.
pub(crate) fn collect_block(block: &syn::Block) -> Scope {
    let mut scope = Scope::default();
    for stmt in &block.stmts {
        if let syn::Stmt::Item(item) = stmt {
            add_item(item, &mut scope, &mut Vec::new());
        }
    }
    scope
}

/// Whether the attributes put an item behind `cfg(test)`, alone or among others.
pub(crate) fn cfg_test(attrs: &[Attribute]) -> bool {
    attrs.iter().any(|attr| {
        attr.path().is_ident("cfg")
            && attr
                .meta
                .require_list()
                .is_ok_and(|list| has_test(list.tokens.clone()))
    })
}

/// Whether an attribute makes a function a test: `#[test]`, `#[tokio::test]`, `#[rstest]`, …
pub(crate) fn attribute_is_test(attr: &Attribute) -> bool {
    attr.path().segments.last().is_some_and(|last| {
        ["test", "rstest", "bench", "test_case", "proptest"]
            .iter()
            .any(|name| last.ident == name)
    })
}

fn has_test(tokens: proc_macro2::TokenStream) -> bool {
    let mut negated = false;
    for token in tokens {
        match token {
            TokenTree::Ident(ident) if ident == "test" => return true,
            TokenTree::Ident(ident) => negated = ident == "not",
            TokenTree::Group(group) => {
                if !negated && has_test(group.stream()) {
                    return true;
                }
                negated = false;
            }
            _ => {}
        }
    }
    false
}

fn name_of(ident: &proc_macro2::Ident) -> String {
    let name = ident.to_string();
    name.strip_prefix("r#").map(str::to_owned).unwrap_or(name)
}

fn collect_module(module: &[String], items: &[Item], facts: &mut Facts) {
    let mut scope = Scope::default();
    let mut renames = Vec::new();
    collect_items(module, items, &mut scope, &mut renames, facts);
    let renames = renames.into_iter().map(|name| [module, &[name]].concat());
    facts.renames.extend(renames);
    facts.modules.push((module.to_vec(), scope));
}

fn collect_items(
    module: &[String],
    items: &[Item],
    scope: &mut Scope,
    renames: &mut Vec<String>,
    facts: &mut Facts,
) {
    for item in items {
        add_item(item, scope, renames);
        match item {
            Item::Mod(inner) => {
                let mut path = module.to_vec();
                path.push(name_of(&inner.ident));
                if cfg_test(&inner.attrs) {
                    facts.test_modules.push(path.clone());
                }
                if let Some((_, items)) = &inner.content {
                    collect_module(&path, items, facts);
                }
            }
            Item::Struct(item) => {
                let shape = Shape::of(item.fields.iter().map(|field| &field.ty));
                facts.types.push((child(module, &item.ident), shape));
            }
            Item::Enum(item) => {
                let fields = item.variants.iter().flat_map(|v| v.fields.iter());
                let shape = Shape::of(fields.map(|field| &field.ty));
                facts.types.push((child(module, &item.ident), shape));
            }
            Item::Type(item) => {
                let path = child(module, &item.ident);
                let held = held_paths(&item.ty).into_iter().map(path_ref).collect();
                facts.aliases.push((path.clone(), held));
                facts.types.push((path, Shape::of([&*item.ty])));
            }
            Item::Impl(item) => collect_impl(module, item, facts),
            Item::Macro(item) if item.ident.is_none() => {
                let last = item.mac.path.segments.last();
                if last.is_some_and(|segment| segment.ident == "key") {
                    for key in KeyDecl::parse_all(&item.mac).unwrap_or_default() {
                        scope.add(name_of(&key.ident), Name::Local(Namespace::Type));
                        facts
                            .key_values
                            .extend(last_names(&Shape::of([&key.value])));
                    }
                } else if let Ok(inner) = item.mac.parse_body::<syn::File>() {
                    // `pin_project! { … }`, `cfg_x! { … }`: items with something around them.
                    collect_items(module, &inner.items, scope, renames, facts);
                }
            }
            _ => {}
        }
    }
}

fn collect_impl(module: &[String], item: &syn::ItemImpl, facts: &mut Facts) {
    let Some((path, _)) = &item.trait_ else {
        return;
    };
    let Some(of_trait) = path.segments.last() else {
        return;
    };
    let Type::Path(this) = &*item.self_ty else {
        return;
    };
    let is_call = CALLS.iter().any(|name| of_trait.ident == name);
    if is_call && this.path.segments.len() == 1 {
        facts
            .calls
            .push(child(module, &this.path.segments[0].ident));
    }
    if of_trait.ident == "Key" {
        for inner in &item.items {
            if let syn::ImplItem::Type(value) = inner {
                facts.key_values.extend(last_names(&Shape::of([&value.ty])));
            }
        }
    }
}

/// The types that something of this type holds for as long as it lives: itself and the
/// arguments of its generics, not what it borrows, calls, or passes on.
pub(crate) fn held_paths(ty: &Type) -> Vec<&syn::Path> {
    let mut held = Vec::new();
    add_held(ty, &mut held);
    held
}

fn add_held<'t>(ty: &'t Type, held: &mut Vec<&'t syn::Path>) {
    match ty {
        Type::Path(ty) if ty.qself.is_none() => {
            held.push(&ty.path);
            let Some(last) = ty.path.segments.last() else {
                return;
            };
            let PathArguments::AngleBracketed(arguments) = &last.arguments else {
                return;
            };
            let name = last.ident.to_string();
            // A channel's end passes contexts on, a marker holds none.
            if name == "PhantomData" || name.ends_with("Sender") || name.ends_with("Receiver") {
                return;
            }
            for argument in &arguments.args {
                if let GenericArgument::Type(ty) = argument {
                    add_held(ty, held);
                }
            }
        }
        Type::Array(ty) => add_held(&ty.elem, held),
        Type::Group(ty) => add_held(&ty.elem, held),
        Type::Paren(ty) => add_held(&ty.elem, held),
        Type::Slice(ty) => add_held(&ty.elem, held),
        Type::Tuple(ty) => ty.elems.iter().for_each(|ty| add_held(ty, held)),
        _ => {}
    }
}

fn last_names(shape: &Shape) -> Vec<String> {
    shape
        .paths
        .iter()
        .filter_map(|path| path.segments.last().cloned())
        .collect()
}

fn child(module: &[String], ident: &proc_macro2::Ident) -> Vec<String> {
    let mut path = module.to_vec();
    path.push(name_of(ident));
    path
}

fn add_item(item: &Item, scope: &mut Scope, renames: &mut Vec<String>) {
    let (ident, namespace) = match item {
        Item::Use(item) => {
            let mut prefix = PathRef {
                global: item.leading_colon.is_some(),
                segments: Vec::new(),
            };
            return add_use(&item.tree, &mut prefix, scope, renames);
        }
        Item::ExternCrate(item) => {
            let alias = item.rename.as_ref().map_or(&item.ident, |(_, alias)| alias);
            let path = PathRef {
                global: true,
                segments: vec![name_of(&item.ident)],
            };
            if item.ident != "self" {
                scope.add(name_of(alias), Name::Import(path));
            }
            return;
        }
        Item::Type(item) => {
            // An alias of a plain path is an import; one of `Arc<Context>` is a type of its own.
            if let Type::Path(ty) = &*item.ty {
                let plain = ty.path.segments.iter().all(|s| s.arguments.is_none());
                if ty.qself.is_none() && plain {
                    renames.push(name_of(&item.ident));
                    return scope.add(name_of(&item.ident), Name::Import(path_ref(&ty.path)));
                }
            }
            (&item.ident, Namespace::Type)
        }
        Item::Enum(item) => (&item.ident, Namespace::Type),
        Item::Mod(item) => (&item.ident, Namespace::Type),
        Item::Struct(item) => (&item.ident, Namespace::Type),
        Item::Trait(item) => (&item.ident, Namespace::Type),
        Item::TraitAlias(item) => (&item.ident, Namespace::Type),
        Item::Union(item) => (&item.ident, Namespace::Type),
        Item::Const(item) => (&item.ident, Namespace::Value),
        Item::Fn(item) => (&item.sig.ident, Namespace::Value),
        Item::Static(item) => (&item.ident, Namespace::Value),
        Item::Macro(item) => match &item.ident {
            Some(ident) => (ident, Namespace::Macro),
            None => return,
        },
        _ => return,
    };
    scope.add(name_of(ident), Name::Local(namespace));
}

fn add_use(tree: &UseTree, prefix: &mut PathRef, scope: &mut Scope, renames: &mut Vec<String>) {
    let target = |prefix: &PathRef, ident: &proc_macro2::Ident| {
        let mut path = prefix.clone();
        // `use tokio_ctx::{self}` names the module itself.
        if ident != "self" || path.segments.is_empty() {
            path.segments.push(name_of(ident));
        }
        path
    };
    match tree {
        UseTree::Path(tree) => {
            prefix.segments.push(name_of(&tree.ident));
            add_use(&tree.tree, prefix, scope, renames);
            prefix.segments.pop();
        }
        UseTree::Name(tree) => {
            let path = target(prefix, &tree.ident);
            if let Some(name) = path.segments.last().cloned() {
                scope.add(name, Name::Import(path));
            }
        }
        UseTree::Rename(tree) => {
            let path = target(prefix, &tree.ident);
            if tree.rename != "_" {
                renames.push(name_of(&tree.rename));
                scope.add(name_of(&tree.rename), Name::Import(path));
            }
        }
        UseTree::Glob(_) => scope.add_glob(prefix.clone()),
        UseTree::Group(tree) => {
            for tree in &tree.items {
                add_use(tree, prefix, scope, renames);
            }
        }
    }
}

impl Shape {
    /// Flattens types.
    pub(crate) fn of<'a>(types: impl IntoIterator<Item = &'a Type>) -> Shape {
        let mut shape = Shape::default();
        for ty in types {
            shape.visit_type(ty);
        }
        shape
    }
}

impl<'ast> Visit<'ast> for Shape {
    fn visit_type_path(&mut self, ty: &'ast syn::TypePath) {
        if ty.qself.is_none() {
            self.paths.push(path_ref(&ty.path));
        }
        syn::visit::visit_type_path(self, ty);
    }

    fn visit_type_fn_ptr(&mut self, _: &'ast syn::TypeFnPtr) {
        self.callback = true;
    }

    fn visit_trait_bound(&mut self, bound: &'ast syn::TraitBound) {
        let last = bound.path.segments.last();
        if last.is_some_and(|s| ["Fn", "FnMut", "FnOnce"].iter().any(|name| s.ident == name)) {
            self.callback = true;
        } else {
            syn::visit::visit_trait_bound(self, bound);
        }
    }

    fn visit_type_trait_object(&mut self, object: &'ast syn::TypeTraitObject) {
        for bound in &object.bounds {
            if let syn::TypeParamBound::Trait(bound) = bound {
                self.objects.push(path_ref(&bound.path));
            }
        }
        syn::visit::visit_type_trait_object(self, object);
    }

    // What a marker names is not held.
    fn visit_path_segment(&mut self, segment: &'ast syn::PathSegment) {
        if segment.ident != "PhantomData" {
            syn::visit::visit_path_segment(self, segment);
        }
    }
}
