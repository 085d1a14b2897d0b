//! Where mistakes that only the compiler can find are shown: at the user's tokens that they are
//! about, not at the whole attribute.

use proc_macro2::TokenStream;
use quote::ToTokens;

/// Moves generated tokens to where the user's stand, from their first to their last; a single one
/// to their first. What names mean, and that the code is generated (which lints ask), stays as it
/// is.
pub(crate) fn shown_at(place: impl ToTokens, tokens: TokenStream) -> TokenStream {
    let mut places = place.into_token_stream().into_iter().map(|token| token.span());
    let Some(first) = places.next() else { return tokens };
    let last = places.last().unwrap_or(first);
    let mut tokens: Vec<_> = tokens.into_iter().collect();
    let end = tokens.len().saturating_sub(1);
    for (at, token) in tokens.iter_mut().enumerate() {
        let place = if at == end && at > 0 { last } else { first };
        token.set_span(token.span().located_at(place));
    }
    tokens.into_iter().collect()
}
