//! What each shape of function expands to, so that a reviewer sees what users compile.
//! `UPDATE_EXPECT=1 cargo test -p cached-macro` writes the files anew.

use expect_test::{ExpectFile, expect_file};
use proc_macro2::{Group, Ident, TokenStream};
use quote::quote;
use syn::parse::{ParseStream, Parser};
use syn::{Attribute, ImplItem, Item, Token, parse_quote};

use crate::{cache_invalidate_tokens, cache_result_tokens};

fn formatted(expanded: &TokenStream) -> String {
    match syn::parse2::<syn::File>(expanded.clone()) {
        Ok(mut file) => {
            file.items = file.items.into_iter().flat_map(unwrapped).collect();
            prettyplease::unparse(&file)
        }
        Err(error) => panic!("no items: {error}\n{expanded}"),
    }
}

/// What the runtime's macros around companion types and handles make of them, here without their
/// attributes.
fn unwrapped(item: Item) -> Vec<Item> {
    if let Item::Impl(mut methods) = item {
        methods.items = methods.items.into_iter().flat_map(unwrapped_handle).collect();
        return vec![Item::Impl(methods)];
    }
    let Item::Macro(wrapper) = &item else { return vec![item] };
    if wrapper.mac.path.segments.last().is_none_or(|last| last.ident == "compile_error") {
        return vec![item];
    }
    let parser = |input: ParseStream<'_>| {
        let of_type = input.call(Attribute::parse_outer)?;
        let visibility: TokenStream = bracketed(input)?;
        input.parse::<Token![struct]>()?;
        let name: Ident = input.parse()?;
        let (generics, marker) = (bracketed(input)?, bracketed(input)?);
        input.parse::<Token![impl]>()?;
        let (declared, arguments) = (bracketed(input)?, bracketed(input)?);
        let verbs: Group = input.parse()?;
        Ok([
            parse_quote!(#(#of_type)* #visibility struct #name<#generics> { __companion: #marker }),
            parse_quote!(impl<#declared> #name<#arguments> #verbs),
        ])
    };
    match parser.parse2(wrapper.mac.tokens.clone()) {
        Ok(items) => items.into(),
        Err(error) => panic!("not what the wrapper takes: {error}"),
    }
}

fn unwrapped_handle(item: ImplItem) -> Vec<ImplItem> {
    let ImplItem::Macro(wrapper) = &item else { return vec![item] };
    let parser = |input: ParseStream<'_>| {
        let apart = bracketed(input)?;
        let docs = input.call(Attribute::parse_outer)?;
        let visibility: TokenStream = bracketed(input)?;
        input.parse::<Token![fn]>()?;
        let (name, signature): (Ident, _) = (input.parse()?, bracketed(input)?);
        let body: Group = input.parse()?;
        let items: syn::ItemImpl = parse_quote! {
            impl Repo { #apart #(#docs)* #visibility fn #name #signature #body }
        };
        Ok(items.items)
    };
    match parser.parse2(wrapper.mac.tokens.clone()) {
        Ok(items) => items,
        Err(error) => panic!("not what the wrapper takes: {error}"),
    }
}

fn bracketed(input: ParseStream<'_>) -> syn::Result<TokenStream> {
    input.parse::<Group>().map(|group| group.stream())
}

/// As items, or where `self` stands in it within an `impl`.
fn check(expected: &ExpectFile, expanded: TokenStream, in_impl: bool) {
    let expanded = if in_impl { quote!(impl Repo { #expanded }) } else { expanded };
    expected.assert_eq(&formatted(&expanded));
}

#[test]
fn a_plain_function() {
    let function = quote! {
        /// Looks a user up.
        pub async fn get_user(id: u64) -> Result<User, sqlx::Error> {
            query(id).await
        }
    };
    let expanded = cache_result_tokens(quote!(ttl = 60), &function);
    check(&expect_file!["snapshots/plain.rs"], expanded, false);
}

#[test]
fn a_function_without_companion() {
    let function = quote! {
        async fn get_user(id: u64) -> Option<User> {
            query(id).await
        }
    };
    let expanded = cache_result_tokens(quote!(ttl = 60, companion = false), &function);
    check(&expect_file!["snapshots/alone.rs"], expanded, false);
}

#[test]
fn a_synchronous_function() {
    let function = quote! {
        fn get_user<'a>(db: &Db, name: &'a str) -> User {
            query(db, name)
        }
    };
    let expanded = cache_result_tokens(quote!(ttl = "5m", skip(db)), &function);
    check(&expect_file!["snapshots/sync.rs"], expanded, false);
}

#[test]
fn a_method_with_a_handle() {
    let function = quote! {
        pub async fn find(&self, id: u64) -> Result<Option<User>, sqlx::Error> {
            self.query(id).await
        }
    };
    let options = quote!(ttl = 60, key = "{self.tenant}:{id}", cache = self.cache, companion);
    let expanded = cache_result_tokens(options, &function);
    check(&expect_file!["snapshots/method.rs"], expanded, true);
}

#[test]
fn a_generic_function() {
    let function = quote! {
        async fn load<D: Db + ?Sized, T, const N: usize>(db: &D, (a, b): (T, T)) -> [T; N]
        where
            T: Serialize + DeserializeOwned,
        {
            db.load(a, b).await
        }
    };
    let expanded = cache_result_tokens(quote!(ttl = 60, skip(db)), &function);
    check(&expect_file!["snapshots/generic.rs"], expanded, false);
}

/// What `#[async_trait]` hands over.
#[test]
fn a_boxed_future() {
    let function = quote! {
        fn find<'life0, 'async_trait>(
            &'life0 self,
            id: u64,
        ) -> ::core::pin::Pin<Box<
            dyn ::core::future::Future<Output = Option<User>> + ::core::marker::Send + 'async_trait,
        >>
        where
            'life0: 'async_trait,
        {
            Box::pin(async move { self.query(id).await })
        }
    };
    let expanded = cache_result_tokens(quote!(ttl = 60, skip(self)), &function);
    check(&expect_file!["snapshots/boxed.rs"], expanded, true);
}

#[test]
fn all_options() {
    let options = quote! {
        ttl = |user| Duration::from_secs(user.age),
        key = "v1:{tenant.id}:{id}",
        name = "users",
        tags = ["tenant:{tenant.id}", "users"],
        invalidate_all,
        stale_while_revalidate = "5m",
        stale_if_error = tenant.patience,
        refresh_ahead = 0.8,
        early_refresh,
        soft_timeout = "100ms",
        load_timeout = 2,
        jitter = 0.1,
        cache_if = User::is_complete,
        none_ttl = 5,
        err_ttl = "250ms",
        single_flight = "process",
        codec = MessagePack,
        compress = 4096,
        cache = tenant.cache,
        companion = false,
        crate = crate::cached_runtime
    };
    let function = quote! {
        #[instrument]
        async fn get_user(tenant: &Tenant, id: u64) -> Result<Option<User>, Error> {
            tenant.query(id).await
        }
    };
    let expanded = cache_result_tokens(options, &function);
    check(&expect_file!["snapshots/options.rs"], expanded, false);
}

/// What is at hand is returned before anything is asked.
#[test]
fn functions_whose_values_stay_in_memory() {
    let function = quote! {
        async fn get_settings(id: u64) -> Arc<Settings> {
            query(id).await
        }
    };
    let options = quote!(ttl = 60, local, companion = false);
    let mut expanded = cache_result_tokens(options, &function);
    let function = quote! {
        fn get_user(id: u64) -> Option<User> {
            query(id)
        }
    };
    let options = quote!(ttl = 60, local = "5s", companion = false);
    expanded.extend(cache_result_tokens(options, &function));
    let function = quote! {
        pub async fn find(self: Arc<Self>, id: u64) -> Result<User, sqlx::Error> {
            self.query(id).await
        }
    };
    let options = quote! {
        ttl = 60,
        key = "{self.tenant}:{id}",
        local(ttl = self.patience),
        stale_while_revalidate = 30,
        refresh_ahead = 0.8,
        cache = self.cache
    };
    let method = cache_result_tokens(options, &function);
    expanded.extend(quote!(impl Repo { #method }));
    check(&expect_file!["snapshots/local.rs"], expanded, false);
}

#[test]
fn an_invalidation() {
    let function = quote! {
        async fn rename(&mut self, id: u64, name: String) -> Result<(), Error> {
            self.update(id, name).await
        }
    };
    let targets = quote!(get_user(id), self.find(&name), pattern = "*get_orders*:{id}");
    let expanded = cache_invalidate_tokens(targets, &function);
    check(&expect_file!["snapshots/invalidate.rs"], expanded, true);
}

/// What borrows nothing from its caller may go on without it.
#[test]
fn a_refresh_in_the_background() {
    let function = quote! {
        async fn get_user(id: u64, kind: impl Kind + 'static) -> Result<User, sqlx::Error> {
            query(id, kind).await
        }
    };
    let options = quote! {
        ttl = 60,
        key = "{id}",
        tags = ["kind:{kind}", "user:{id}"],
        stale_while_revalidate = 30,
        companion = false
    };
    let expanded = cache_result_tokens(options, &function);
    check(&expect_file!["snapshots/background.rs"], expanded, false);
}

#[test]
fn an_invalidation_of_what_the_value_tells() {
    let function = quote! {
        async fn create(tenant: String, name: String) -> Result<User, Error> {
            insert(tenant, name).await
        }
    };
    let targets = quote! {
        |user| get_user(user.id),
        tags = ["users"],
        tags = |user: &User| ["tenant:{tenant}", "team:{user.team}"],
        on_error = "fail"
    };
    let expanded = cache_invalidate_tokens(targets, &function);
    check(&expect_file!["snapshots/learned.rs"], expanded, false);
}

/// On a mistake the function is left as it was, before what is said of it.
#[test]
fn a_mistake() {
    let function = quote! {
        async fn get_user(id: u64) -> User {
            query(id).await
        }
    };
    let expanded = cache_result_tokens(quote!(ttl = 0, key = "{name}"), &function);
    check(&expect_file!["snapshots/mistake.rs"], expanded, false);
}

#[test]
fn a_batch() {
    let function = quote! {
        /// Looks users up.
        pub async fn get_users(db: &Pool, mut retries: u8, ids: &[u64]) -> Result<HashMap<u64, User>, sqlx::Error> {
            query(db, ids).await
        }
    };
    let options =
        quote!(ttl = 60, name = "user", skip(db, retries), tags = ["user:{ids}"], batch = ids);
    let expanded = cache_result_tokens(options, &function);
    check(&expect_file!["snapshots/batch.rs"], expanded, false);
}

/// Its verbs call it by its name all the same.
#[test]
fn a_parameter_of_the_functions_name() {
    let function = quote! {
        async fn order(user: u64, order: u64) -> Order {
            query(user, order).await
        }
    };
    let expanded = cache_result_tokens(quote!(ttl = 60), &function);
    check(&expect_file!["snapshots/namesake.rs"], expanded, false);
}
