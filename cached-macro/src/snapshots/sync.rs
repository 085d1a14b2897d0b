#[allow(unused_braces)]
fn get_user<'a>(db: &Db, name: &'a str) -> User {
    ::cached_runtime::__private::made(|| {
            {
                let mut entry = ::cached_runtime::__private::required!(
                    probe, User, ::core::marker::PhantomData:: <
                    ::cached_runtime::__private::CacheDefault >,
                    ::cached_runtime::__private::current(), { static SITE :
                    ::cached_runtime::__private::Site =
                    ::cached_runtime::__private::Site::new(::core::option::Option::None,
                    "name: &'a str", ::cached_runtime::__private::position!(),
                    ::cached_runtime::__private::Side::Function);
                    ::cached_runtime::__private::At::new(& SITE,
                    ::cached_runtime::__private::place!(free)) }, & []
                );
                entry.arg(&name);
                entry
            }
                .cached(::core::time::Duration::new(300u64, 0u32))
        })
        .run_blocking(|| -> User { query(db, name) })
}
/**The entries of the cached function `get_user`: `get_user::invalidate(…)`, `peek`, `put`, `refresh`, `uncached`, `fetch`, `key`, `invalidate_all`, `stats`.

Where this type is in the way (a module or type of the same name, or a function in an `impl`), write `companion = false` in `#[cache_result]`.*/
struct get_user {
    __companion: ::core::marker::PhantomData<()>,
}
impl get_user {
    #[doc(hidden)]
    fn __site() -> ::cached_runtime::__private::At {
        static SITE: ::cached_runtime::__private::Site = ::cached_runtime::__private::Site::new(
            ::core::option::Option::None,
            "name: &'a str",
            ::cached_runtime::__private::position!(),
            ::cached_runtime::__private::Side::Companion,
        );
        ::cached_runtime::__private::At::new(
            &SITE,
            ::cached_runtime::__private::place!(free),
        )
    }
    ///The key of `get_user(…)`, relative to the namespace: what `Cache::invalidate_key` takes. Asks for the arguments that the key uses.
    fn key<'a>(name: &'a str) -> ::cached_runtime::Key {
        {
            let mut entry = ::cached_runtime::__private::presumed!(
                probe, User, ::core::marker::PhantomData:: <
                ::cached_runtime::__private::CacheDefault >,
                ::cached_runtime::__private::nowhere(), Self::__site(), & []
            );
            entry
                .add(
                    ::cached_runtime::__private::PartOf::Arg,
                    &::cached_runtime::__private::part!(& name),
                );
            entry
        }
            .key()
    }
    /**Removes the entry of `get_user(…)`. After `Ok` no process serves a value whose load began before this call.

# Errors
Where the store could not be told; the entry may then still be served.*/
    fn invalidate<'a>(
        name: &'a str,
    ) -> ::core::result::Result<(), ::cached_runtime::Error> {
        {
            let mut entry = ::cached_runtime::__private::presumed!(
                probe, User, ::core::marker::PhantomData:: <
                ::cached_runtime::__private::CacheDefault >,
                ::cached_runtime::__private::current(), Self::__site(), & []
            );
            entry
                .add(
                    ::cached_runtime::__private::PartOf::Arg,
                    &::cached_runtime::__private::part!(& name),
                );
            entry
        }
            .invalidate_blocking()
    }
    /**What is stored for `get_user(…)`, without running the body.

# Errors
Where the store could not be asked.*/
    fn peek<'a>(
        name: &'a str,
    ) -> ::core::result::Result<
        ::core::option::Option<
            <User as ::cached_runtime::__private::ShapeOf<
                { ::cached_runtime::__private::shape_of!(User) },
            >>::Value,
        >,
        ::cached_runtime::Error,
    > {
        {
            let mut entry = ::cached_runtime::__private::presumed!(
                probe, User, ::core::marker::PhantomData:: <
                ::cached_runtime::__private::CacheDefault >,
                ::cached_runtime::__private::current(), Self::__site(), & []
            );
            entry
                .add(
                    ::cached_runtime::__private::PartOf::Arg,
                    &::cached_runtime::__private::part!(& name),
                );
            entry
        }
            .peek_blocking()
    }
    /**Stores a value as if `get_user(…)` had just returned it; `ttl` and `cache_if` apply.

# Errors
Where the store could not be told, or the value not be encoded.*/
    fn put<'a>(
        name: &'a str,
        value: &<User as ::cached_runtime::__private::ShapeOf<
            { ::cached_runtime::__private::shape_of!(User) },
        >>::Value,
    ) -> ::core::result::Result<(), ::cached_runtime::Error> {
        {
            let mut entry = ::cached_runtime::__private::presumed!(
                probe, User, ::core::marker::PhantomData:: <
                ::cached_runtime::__private::CacheDefault >,
                ::cached_runtime::__private::current(), Self::__site(), & []
            );
            entry
                .add(
                    ::cached_runtime::__private::PartOf::Arg,
                    &::cached_runtime::__private::part!(& name),
                );
            entry
        }
            .cached(::core::time::Duration::new(300u64, 0u32))
            .put_blocking(value)
    }
    ///Runs the body of `get_user(…)` and stores its value, unless the entry is invalidated meanwhile. Returns what the function returns.
    fn refresh<'a>(db: &Db, name: &'a str) -> User {
        let call = move || get_user(db, name);
        ::cached_runtime::__private::force_sync(
            Self::__site().site(),
            ::cached_runtime::__private::Mode::Refresh,
            call,
        )
    }
    ///Runs the body of `get_user(…)`; nothing is looked up, stored or counted.
    fn uncached<'a>(db: &Db, name: &'a str) -> User {
        let call = move || get_user(db, name);
        ::cached_runtime::__private::force_sync(
            Self::__site().site(),
            ::cached_runtime::__private::Mode::Uncached,
            call,
        )
    }
    ///Calls `get_user(…)`, and says where its value came from, and how old it is.
    fn fetch<'a>(db: &Db, name: &'a str) -> ::cached_runtime::Fetched<User> {
        let call = move || get_user(db, name);
        ::cached_runtime::__private::fetch_sync(Self::__site().site(), call)
    }
    /**Removes all entries of `get_user`. How many there were. Walks the whole keyspace (SCAN), which the option `invalidate_all` spares.

# Errors
Where the store could not be told; some may be removed already.*/
    fn invalidate_all<'a>() -> ::core::result::Result<u64, ::cached_runtime::Error> {
        {
            let entry = ::cached_runtime::__private::presumed!(
                probe, User, ::core::marker::PhantomData:: <
                ::cached_runtime::__private::CacheDefault >,
                ::cached_runtime::__private::current(), Self::__site(), & []
            );
            entry
        }
            .invalidate_all_blocking()
    }
    ///What happened to the calls of `get_user` in this process.
    fn stats<'a>() -> ::cached_runtime::FunctionStats {
        {
            let entry = ::cached_runtime::__private::presumed!(
                probe, User, ::core::marker::PhantomData:: <
                ::cached_runtime::__private::CacheDefault >,
                ::cached_runtime::__private::current(), Self::__site(), & []
            );
            entry
        }
            .stats()
    }
    #[doc(hidden)]
    fn __target<'a>(name: &'a str) -> ::cached_runtime::__private::Target {
        {
            let mut entry = ::cached_runtime::__private::presumed!(
                probe, User, ::core::marker::PhantomData:: <
                ::cached_runtime::__private::CacheDefault >,
                ::cached_runtime::__private::current(), Self::__site(), & []
            );
            entry
                .add(
                    ::cached_runtime::__private::PartOf::Arg,
                    &::cached_runtime::__private::part!(& name),
                );
            entry
        }
            .target()
    }
}
