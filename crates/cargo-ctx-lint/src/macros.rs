//! The code inside macro calls, as far as it is code.
//!
//! `select!` has a grammar of its own; most other macros take expressions separated by
//! commas (`assert!`, `vec!`, `join!`, the logging macros) or statements. Tokens that parse
//! as neither are left alone, and so are macros that quote code for later.

use syn::parse::{Parse, ParseStream, Parser};
use syn::punctuated::Punctuated;
use syn::{Block, Expr, Macro, Pat, Stmt, Token};

/// What was found inside.
pub(crate) enum Body {
    /// Nothing that is code here.
    Nothing,
    /// Expressions.
    Exprs(Vec<Expr>),
    /// Statements.
    Statements(Block),
    /// The branches of a `select!`.
    Select(Vec<Branch>),
}

/// One branch of a `select!`.
pub(crate) struct Branch {
    /// What the future's output is matched against; `else` has none.
    pub(crate) pat: Option<Pat>,
    /// The future, or for `else` the handler again.
    pub(crate) future: Expr,
    /// What runs when the future is done.
    pub(crate) handler: Expr,
}

const QUOTING: [&str; 6] = [
    "quote",
    "quote_spanned",
    "parse_quote",
    "stringify",
    "macro_rules",
    "format_ident",
];

/// Parses the tokens of a macro call.
pub(crate) fn parse(mac: &Macro) -> Body {
    let Some(name) = mac
        .path
        .segments
        .last()
        .map(|segment| segment.ident.to_string())
    else {
        return Body::Nothing;
    };
    if mac.tokens.is_empty() || QUOTING.contains(&name.as_str()) {
        return Body::Nothing;
    }
    if name == "select" || name == "select_biased" {
        return match select.parse2(mac.tokens.clone()) {
            Ok(branches) => Body::Select(branches),
            Err(_) => Body::Nothing,
        };
    }
    let exprs = Punctuated::<Expr, Token![,]>::parse_terminated;
    if let Ok(exprs) = exprs.parse2(mac.tokens.clone()) {
        return Body::Exprs(exprs.into_iter().collect());
    }
    let statements = |input: ParseStream<'_>| input.call(Block::parse_within);
    match statements.parse2(mac.tokens.clone()) {
        Ok(stmts)
            if !stmts
                .iter()
                .any(|stmt| matches!(stmt, Stmt::Expr(Expr::Verbatim(_), _))) =>
        {
            Body::Statements(Block {
                brace_token: syn::token::Brace::default(),
                stmts,
            })
        }
        _ => Body::Nothing,
    }
}

fn select(input: ParseStream<'_>) -> syn::Result<Vec<Branch>> {
    let fork = input.fork();
    if fork
        .parse::<syn::Ident>()
        .is_ok_and(|ident| ident == "biased")
        && fork.peek(Token![;])
    {
        input.parse::<syn::Ident>()?;
        input.parse::<Token![;]>()?;
    }
    let mut branches = Vec::new();
    while !input.is_empty() {
        branches.push(input.parse()?);
    }
    Ok(branches)
}

impl Parse for Branch {
    fn parse(input: ParseStream<'_>) -> syn::Result<Branch> {
        if input.peek(Token![else]) || input.peek(syn::Ident) && input.peek2(Token![=>]) {
            // `else => …` of tokio, `complete => …` and `default => …` of futures.
            if input.parse::<Option<Token![else]>>()?.is_none() {
                input.parse::<syn::Ident>()?;
            }
            input.parse::<Token![=>]>()?;
            let handler = handler(input)?;
            let nothing = Expr::Verbatim(proc_macro2::TokenStream::new());
            return Ok(Branch {
                pat: None,
                future: nothing,
                handler,
            });
        }
        let pat = input.call(Pat::parse_multi_with_leading_vert)?;
        input.parse::<Token![=]>()?;
        let future = input.parse()?;
        if input.peek(Token![,]) && input.peek2(Token![if]) {
            input.parse::<Token![,]>()?;
            input.parse::<Token![if]>()?;
            input.parse::<Expr>()?;
        }
        input.parse::<Token![=>]>()?;
        Ok(Branch {
            pat: Some(pat),
            future,
            handler: handler(input)?,
        })
    }
}

fn handler(input: ParseStream<'_>) -> syn::Result<Expr> {
    let is_block = input.peek(syn::token::Brace);
    let handler = if is_block && !brace_goes_on(input) {
        Expr::Block(syn::ExprBlock {
            attrs: Vec::new(),
            label: None,
            block: input.parse()?,
        })
    } else {
        input.parse()?
    };
    if input.peek(Token![,]) {
        input.parse::<Token![,]>()?;
    } else if !is_block && !input.is_empty() {
        return Err(input.error("expected `,`"));
    }
    Ok(handler)
}

/// Whether something follows a block that makes it part of a larger expression.
fn brace_goes_on(input: ParseStream<'_>) -> bool {
    input.peek2(Token![.]) && !input.peek2(Token![..]) || input.peek2(Token![?])
}
