//! Under which name the annotated crate knows the runtime.

use proc_macro_crate::{FoundCrate, crate_name};
use proc_macro2::{Ident, Span};
use syn::Path;

/// What `Cargo.toml` calls it (`cache = { package = "cached-runtime" }` is `::cache`). Where there is no
/// such file, or no such dependency, it has its own name: another build tool may give it so.
pub(crate) fn default() -> Path {
    match crate_name("cached-runtime") {
        Ok(FoundCrate::Name(name)) => {
            let name = Ident::new(&name, Span::call_site());
            syn::parse_quote!(::#name)
        }
        Ok(FoundCrate::Itself) | Err(_) => syn::parse_quote!(::cached_runtime),
    }
}
