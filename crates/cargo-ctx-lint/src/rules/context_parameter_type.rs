//! The type of a context parameter.

use syn::{FnArg, GenericArgument, PathArguments, Signature, Type};

use crate::cx::{Cx, range_of, span_of};
use crate::env::Kind;
use crate::finding::Edit;
use crate::rule::Rule;

/// A context parameter of another type than `&Context` or `Context`.
pub(crate) const RULE: Rule = Rule {
    id: "context-parameter-type",
    summary: "a context parameter that is optional, wrapped, mutable, or a guard",
    explain: "\
A function takes `ctx: &Context`, or `ctx: Context` where it keeps it in a task.

    async fn get(ctx: Option<&Context>, key: &str)      // callers will leave it out
    async fn save(guard: &CancelGuard, row: Row)        // may end its caller
    async fn fetch(ctx: Arc<Context>, url: Url)         // a context is two counted pointers already
    fn limit(ctx: &mut Context)                         // changes what its caller works under
    pub async fn run(call: (Context, Job))              // hidden among other things

A caller without a context passes `&Context::background()`, or `&Context::todo()` until it has one.
Code that must cancel something takes a `CancelHandle`. Silent about
an owned `Option<Context>`, in implementations of traits, and in tests.
",
};

/// Called for every signature that its author could have written otherwise; `public` is whether
/// other files may call the function.
pub(crate) fn check(cx: &mut Cx<'_>, sig: &Signature, body: Option<&syn::Block>, public: bool) {
    if cx.harness {
        return;
    }
    for input in &sig.inputs {
        let FnArg::Typed(param) = input else { continue };
        let Some((what, instead)) = fault(cx, &param.ty) else {
            continue;
        };
        // Among themselves, functions may hand on what belongs together.
        if what == "a tuple" && !public {
            continue;
        }
        let range = range_of(&[span_of(&param.ty)]);
        let cancels = what == "a guard"
            && body.is_some_and(|body| {
                ["cancel", "cancel_with", "handle"]
                    .iter()
                    .any(|word| cx.num_words(body, word) > 0)
            });
        let fix = instead.filter(|_| !cancels).map(|replacement| {
            vec![Edit {
                range: range.clone(),
                replacement,
            }]
        });
        let name = &sig.ident;
        let help = if cancels {
            "take a `CancelHandle` beside the context: `ctx: &Context, cancel: &CancelHandle`"
        } else {
            "take `ctx: &Context`, or `ctx: Context` where it is kept in a task"
        };
        cx.report(
            &RULE,
            range,
            format!("`{name}` takes {what} for its context"),
            "should be `&Context` or `Context`",
            help.to_owned(),
            fix,
        );
    }
}

/// What is wrong with a type, and what to write instead, where there is one answer.
fn fault(cx: &Cx<'_>, ty: &Type) -> Option<(&'static str, Option<String>)> {
    let is_context = |ty: &Type| cx.kind_of_type(ty) == Some(Kind::Context);
    match ty {
        Type::Reference(reference) => match cx.kind_of_type(&reference.elem) {
            Some(Kind::Guard) => Some(("a guard", Some("&Context".to_owned()))),
            Some(Kind::Context) if reference.mutability.is_some() => Some(("a mutable one", None)),
            Some(_) => None,
            None => fault(cx, &reference.elem).filter(|(what, _)| *what == "a wrapped one"),
        },
        Type::Path(path) => {
            let last = path.path.segments.last()?;
            let PathArguments::AngleBracketed(arguments) = &last.arguments else {
                return None;
            };
            let [GenericArgument::Type(inner)] = arguments.args.iter().collect::<Vec<_>>()[..]
            else {
                return None;
            };
            if !is_context(inner) {
                return None;
            }
            match last.ident.to_string().as_str() {
                // An owned one is kept by a constructor that makes it later.
                "Option" if matches!(inner, Type::Reference(_)) => {
                    let text = cx.text.slice(&range_of(&[span_of(inner)])).to_owned();
                    Some(("an optional one", Some(text)))
                }
                "Arc" | "Rc" | "Box" => Some(("a wrapped one", None)),
                _ => None,
            }
        }
        Type::Tuple(tuple) => tuple
            .elems
            .iter()
            .any(is_context)
            .then_some(("a tuple", None)),
        _ => None,
    }
}
