//! The tokens of `key! { … }`.

use syn::parse::{Parse, ParseStream, Parser};
use syn::punctuated::Punctuated;
use syn::{Attribute, Ident, Token, Type, Visibility};

/// One declaration: `pub TraceId: String, print`.
pub(crate) struct KeyDecl {
    /// The key's name.
    pub(crate) ident: Ident,
    /// The type of its value.
    pub(crate) value: Type,
    /// What stands behind the commas.
    pub(crate) options: Vec<Ident>,
}

impl KeyDecl {
    /// The declarations of one `key!`.
    pub(crate) fn parse_all(mac: &syn::Macro) -> syn::Result<Vec<KeyDecl>> {
        let parser = Punctuated::<KeyDecl, Token![;]>::parse_terminated;
        Ok(parser.parse2(mac.tokens.clone())?.into_iter().collect())
    }

    /// The option of that name.
    pub(crate) fn option(&self, name: &str) -> Option<&Ident> {
        self.options.iter().find(|option| *option == name)
    }
}

impl Parse for KeyDecl {
    fn parse(input: ParseStream<'_>) -> syn::Result<KeyDecl> {
        input.call(Attribute::parse_outer)?;
        input.parse::<Visibility>()?;
        let ident = input.parse()?;
        input.parse::<Token![:]>()?;
        let value = input.parse()?;
        let mut options = Vec::new();
        while input.peek(Token![,]) {
            input.parse::<Token![,]>()?;
            if input.is_empty() || input.peek(Token![;]) {
                break;
            }
            options.push(input.parse()?);
        }
        Ok(KeyDecl {
            ident,
            value,
            options,
        })
    }
}
