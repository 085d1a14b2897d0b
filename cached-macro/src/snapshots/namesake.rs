#[allow(unused_braces)]
async fn order(user: u64, order: u64) -> Order {
    ::cached_runtime::__private::made(|| {
            {
                let mut entry = ::cached_runtime::__private::required!(
                    probe, Order, ::core::marker::PhantomData:: <
                    ::cached_runtime::__private::CacheDefault >,
                    ::cached_runtime::__private::current(), { static SITE :
                    ::cached_runtime::__private::Site =
                    ::cached_runtime::__private::Site::new(::core::option::Option::None,
                    "user: u64, order: u64", ::cached_runtime::__private::position!(),
                    ::cached_runtime::__private::Side::Function);
                    ::cached_runtime::__private::At::new(& SITE,
                    ::cached_runtime::__private::place!(free)) }, & []
                );
                entry.arg(&user);
                entry.arg(&order);
                entry
            }
                .cached(::core::time::Duration::new(60u64, 0u32))
        })
        .run(async move {
            if false {
                return ::cached_runtime::__private::returning::<Order>();
            }
            { query(user, order).await }
        })
        .await
}
/**The entries of the cached function `order`: `order::invalidate(…)`, `peek`, `put`, `refresh`, `uncached`, `fetch`, `key`, `invalidate_all`, `stats`.

Where this type is in the way (a module or type of the same name, or a function in an `impl`), write `companion = false` in `#[cache_result]`.*/
struct order {
    __companion: ::core::marker::PhantomData<()>,
}
impl order {
    #[doc(hidden)]
    fn __site() -> ::cached_runtime::__private::At {
        static SITE: ::cached_runtime::__private::Site = ::cached_runtime::__private::Site::new(
            ::core::option::Option::None,
            "user: u64, order: u64",
            ::cached_runtime::__private::position!(),
            ::cached_runtime::__private::Side::Companion,
        );
        ::cached_runtime::__private::At::new(
            &SITE,
            ::cached_runtime::__private::place!(free),
        )
    }
    ///The key of `order(…)`, relative to the namespace: what `Cache::invalidate_key` takes. Asks for the arguments that the key uses.
    fn key(user: u64, order: u64) -> ::cached_runtime::Key {
        {
            let mut entry = ::cached_runtime::__private::presumed!(
                probe, Order, ::core::marker::PhantomData:: <
                ::cached_runtime::__private::CacheDefault >,
                ::cached_runtime::__private::nowhere(), Self::__site(), & []
            );
            entry
                .add(
                    ::cached_runtime::__private::PartOf::Arg,
                    &::cached_runtime::__private::part!(& user),
                );
            entry
                .add(
                    ::cached_runtime::__private::PartOf::Arg,
                    &::cached_runtime::__private::part!(& order),
                );
            entry
        }
            .key()
    }
    /**Removes the entry of `order(…)`. After `Ok` no process serves a value whose load began before this call.

# Errors
Where the store could not be told; the entry may then still be served.*/
    async fn invalidate(
        user: u64,
        order: u64,
    ) -> ::core::result::Result<(), ::cached_runtime::Error> {
        {
            let mut entry = ::cached_runtime::__private::presumed!(
                probe, Order, ::core::marker::PhantomData:: <
                ::cached_runtime::__private::CacheDefault >,
                ::cached_runtime::__private::current(), Self::__site(), & []
            );
            entry
                .add(
                    ::cached_runtime::__private::PartOf::Arg,
                    &::cached_runtime::__private::part!(& user),
                );
            entry
                .add(
                    ::cached_runtime::__private::PartOf::Arg,
                    &::cached_runtime::__private::part!(& order),
                );
            entry
        }
            .invalidate()
            .await
    }
    /**What is stored for `order(…)`, without running the body.

# Errors
Where the store could not be asked.*/
    async fn peek(
        user: u64,
        order: u64,
    ) -> ::core::result::Result<
        ::core::option::Option<
            <Order as ::cached_runtime::__private::ShapeOf<
                { ::cached_runtime::__private::shape_of!(Order) },
            >>::Value,
        >,
        ::cached_runtime::Error,
    > {
        {
            let mut entry = ::cached_runtime::__private::presumed!(
                probe, Order, ::core::marker::PhantomData:: <
                ::cached_runtime::__private::CacheDefault >,
                ::cached_runtime::__private::current(), Self::__site(), & []
            );
            entry
                .add(
                    ::cached_runtime::__private::PartOf::Arg,
                    &::cached_runtime::__private::part!(& user),
                );
            entry
                .add(
                    ::cached_runtime::__private::PartOf::Arg,
                    &::cached_runtime::__private::part!(& order),
                );
            entry
        }
            .peek()
            .await
    }
    /**Stores a value as if `order(…)` had just returned it; `ttl` and `cache_if` apply.

# Errors
Where the store could not be told, or the value not be encoded.*/
    async fn put(
        user: u64,
        order: u64,
        value: &<Order as ::cached_runtime::__private::ShapeOf<
            { ::cached_runtime::__private::shape_of!(Order) },
        >>::Value,
    ) -> ::core::result::Result<(), ::cached_runtime::Error> {
        {
            let mut entry = ::cached_runtime::__private::presumed!(
                probe, Order, ::core::marker::PhantomData:: <
                ::cached_runtime::__private::CacheDefault >,
                ::cached_runtime::__private::current(), Self::__site(), & []
            );
            entry
                .add(
                    ::cached_runtime::__private::PartOf::Arg,
                    &::cached_runtime::__private::part!(& user),
                );
            entry
                .add(
                    ::cached_runtime::__private::PartOf::Arg,
                    &::cached_runtime::__private::part!(& order),
                );
            entry
        }
            .cached(::core::time::Duration::new(60u64, 0u32))
            .put(value)
            .await
    }
    ///Runs the body of `order(…)` and stores its value, unless the entry is invalidated meanwhile. Returns what the function returns.
    async fn refresh(user: u64, order: u64) -> Order {
        let call = order(user, order);
        ::cached_runtime::__private::force(
                Self::__site().site(),
                ::cached_runtime::__private::Mode::Refresh,
                call,
            )
            .await
    }
    ///Runs the body of `order(…)`; nothing is looked up, stored or counted.
    async fn uncached(user: u64, order: u64) -> Order {
        let call = order(user, order);
        ::cached_runtime::__private::force(
                Self::__site().site(),
                ::cached_runtime::__private::Mode::Uncached,
                call,
            )
            .await
    }
    ///Calls `order(…)`, and says where its value came from, and how old it is.
    async fn fetch(user: u64, order: u64) -> ::cached_runtime::Fetched<Order> {
        let call = order(user, order);
        ::cached_runtime::__private::fetch(Self::__site().site(), call).await
    }
    /**Removes all entries of `order`. How many there were. Walks the whole keyspace (SCAN), which the option `invalidate_all` spares.

# Errors
Where the store could not be told; some may be removed already.*/
    async fn invalidate_all() -> ::core::result::Result<u64, ::cached_runtime::Error> {
        {
            let entry = ::cached_runtime::__private::presumed!(
                probe, Order, ::core::marker::PhantomData:: <
                ::cached_runtime::__private::CacheDefault >,
                ::cached_runtime::__private::current(), Self::__site(), & []
            );
            entry
        }
            .invalidate_all()
            .await
    }
    ///What happened to the calls of `order` in this process.
    fn stats() -> ::cached_runtime::FunctionStats {
        {
            let entry = ::cached_runtime::__private::presumed!(
                probe, Order, ::core::marker::PhantomData:: <
                ::cached_runtime::__private::CacheDefault >,
                ::cached_runtime::__private::current(), Self::__site(), & []
            );
            entry
        }
            .stats()
    }
    #[doc(hidden)]
    fn __target(user: u64, order: u64) -> ::cached_runtime::__private::Target {
        {
            let mut entry = ::cached_runtime::__private::presumed!(
                probe, Order, ::core::marker::PhantomData:: <
                ::cached_runtime::__private::CacheDefault >,
                ::cached_runtime::__private::current(), Self::__site(), & []
            );
            entry
                .add(
                    ::cached_runtime::__private::PartOf::Arg,
                    &::cached_runtime::__private::part!(& user),
                );
            entry
                .add(
                    ::cached_runtime::__private::PartOf::Arg,
                    &::cached_runtime::__private::part!(& order),
                );
            entry
        }
            .target()
    }
}
