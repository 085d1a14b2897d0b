#[allow(unused_braces)]
async fn load<D: Db + ?Sized, T, const N: usize>(db: &D, (a, b): (T, T)) -> [T; N]
where
    T: Serialize + DeserializeOwned,
{
    ::cached_runtime::__private::made(|| {
            {
                let mut entry = ::cached_runtime::__private::required!(
                    unshared, [T; N], ::core::marker::PhantomData:: <
                    ::cached_runtime::__private::CacheDefault >,
                    ::cached_runtime::__private::current(), { static SITE :
                    ::cached_runtime::__private::Site =
                    ::cached_runtime::__private::Site::new(::core::option::Option::None,
                    "a b: (T,T)", ::cached_runtime::__private::position!(),
                    ::cached_runtime::__private::Side::Function);
                    ::cached_runtime::__private::At::new(& SITE,
                    ::cached_runtime::__private::place!(free)) }, &
                    [::cached_runtime::__private::Cow::Borrowed(::core::any::type_name::
                    < T > ()), ::cached_runtime::__private::const_name(N)]
                );
                entry.arg(&a);
                entry.arg(&b);
                entry
            }
                .cached(::core::time::Duration::new(60u64, 0u32))
        })
        .run(async move {
            if false {
                return ::cached_runtime::__private::returning::<[T; N]>();
            }
            { db.load(a, b).await }
        })
        .await
}
/**The entries of the cached function `load`: `load::invalidate(…)`, `peek`, `put`, `refresh`, `uncached`, `fetch`, `key`, `invalidate_all`, `stats`.

Where this type is in the way (a module or type of the same name, or a function in an `impl`), write `companion = false` in `#[cache_result]`.*/
struct load<D: ?Sized, T: ?Sized, const N: usize> {
    __companion: ::core::marker::PhantomData<(*const D, *const T)>,
}
impl<D: ?Sized, T: ?Sized, const N: usize> load<D, T, N> {
    #[doc(hidden)]
    fn __site() -> ::cached_runtime::__private::At {
        static SITE: ::cached_runtime::__private::Site = ::cached_runtime::__private::Site::new(
            ::core::option::Option::None,
            "a b: (T,T)",
            ::cached_runtime::__private::position!(),
            ::cached_runtime::__private::Side::Companion,
        );
        ::cached_runtime::__private::At::new(
            &SITE,
            ::cached_runtime::__private::place!(free),
        )
    }
    ///The key of `load(…)`, relative to the namespace: what `Cache::invalidate_key` takes. Asks for the arguments that the key uses.
    fn key((a, b): (T, T)) -> ::cached_runtime::Key
    where
        D: Db,
        T: ::core::marker::Sized,
        T: Serialize + DeserializeOwned,
    {
        {
            let mut entry = ::cached_runtime::__private::presumed!(
                unshared, [T; N], ::core::marker::PhantomData:: <
                ::cached_runtime::__private::CacheDefault >,
                ::cached_runtime::__private::nowhere(), Self::__site(), &
                [::cached_runtime::__private::Cow::Borrowed(::core::any::type_name:: < T
                > ()), ::cached_runtime::__private::const_name(N)]
            );
            entry
                .add(
                    ::cached_runtime::__private::PartOf::Arg,
                    &::cached_runtime::__private::part!(& a),
                );
            entry
                .add(
                    ::cached_runtime::__private::PartOf::Arg,
                    &::cached_runtime::__private::part!(& b),
                );
            entry
        }
            .key()
    }
    /**Removes the entry of `load(…)`. After `Ok` no process serves a value whose load began before this call.

# Errors
Where the store could not be told; the entry may then still be served.*/
    async fn invalidate(
        (a, b): (T, T),
    ) -> ::core::result::Result<(), ::cached_runtime::Error>
    where
        D: Db,
        T: ::core::marker::Sized,
        T: Serialize + DeserializeOwned,
    {
        {
            let mut entry = ::cached_runtime::__private::presumed!(
                unshared, [T; N], ::core::marker::PhantomData:: <
                ::cached_runtime::__private::CacheDefault >,
                ::cached_runtime::__private::current(), Self::__site(), &
                [::cached_runtime::__private::Cow::Borrowed(::core::any::type_name:: < T
                > ()), ::cached_runtime::__private::const_name(N)]
            );
            entry
                .add(
                    ::cached_runtime::__private::PartOf::Arg,
                    &::cached_runtime::__private::part!(& a),
                );
            entry
                .add(
                    ::cached_runtime::__private::PartOf::Arg,
                    &::cached_runtime::__private::part!(& b),
                );
            entry
        }
            .invalidate()
            .await
    }
    /**What is stored for `load(…)`, without running the body.

# Errors
Where the store could not be asked.*/
    async fn peek(
        (a, b): (T, T),
    ) -> ::core::result::Result<
        ::core::option::Option<
            <[T; N] as ::cached_runtime::__private::ShapeOf<
                { ::cached_runtime::__private::shape_of!([(); 0]) },
            >>::Value,
        >,
        ::cached_runtime::Error,
    >
    where
        D: Db,
        T: ::core::marker::Sized,
        T: Serialize + DeserializeOwned,
    {
        {
            let mut entry = ::cached_runtime::__private::presumed!(
                unshared, [T; N], ::core::marker::PhantomData:: <
                ::cached_runtime::__private::CacheDefault >,
                ::cached_runtime::__private::current(), Self::__site(), &
                [::cached_runtime::__private::Cow::Borrowed(::core::any::type_name:: < T
                > ()), ::cached_runtime::__private::const_name(N)]
            );
            entry
                .add(
                    ::cached_runtime::__private::PartOf::Arg,
                    &::cached_runtime::__private::part!(& a),
                );
            entry
                .add(
                    ::cached_runtime::__private::PartOf::Arg,
                    &::cached_runtime::__private::part!(& b),
                );
            entry
        }
            .peek()
            .await
    }
    /**Stores a value as if `load(…)` had just returned it; `ttl` and `cache_if` apply.

# Errors
Where the store could not be told, or the value not be encoded.*/
    async fn put(
        (a, b): (T, T),
        value: &<[T; N] as ::cached_runtime::__private::ShapeOf<
            { ::cached_runtime::__private::shape_of!([(); 0]) },
        >>::Value,
    ) -> ::core::result::Result<(), ::cached_runtime::Error>
    where
        D: Db,
        T: ::core::marker::Sized,
        T: Serialize + DeserializeOwned,
    {
        {
            let mut entry = ::cached_runtime::__private::presumed!(
                unshared, [T; N], ::core::marker::PhantomData:: <
                ::cached_runtime::__private::CacheDefault >,
                ::cached_runtime::__private::current(), Self::__site(), &
                [::cached_runtime::__private::Cow::Borrowed(::core::any::type_name:: < T
                > ()), ::cached_runtime::__private::const_name(N)]
            );
            entry
                .add(
                    ::cached_runtime::__private::PartOf::Arg,
                    &::cached_runtime::__private::part!(& a),
                );
            entry
                .add(
                    ::cached_runtime::__private::PartOf::Arg,
                    &::cached_runtime::__private::part!(& b),
                );
            entry
        }
            .cached(::core::time::Duration::new(60u64, 0u32))
            .put(value)
            .await
    }
    ///Runs the body of `load(…)` and stores its value, unless the entry is invalidated meanwhile. Returns what the function returns.
    async fn refresh(db: &D, arg1: (T, T)) -> [T; N]
    where
        D: Db,
        T: ::core::marker::Sized,
        T: Serialize + DeserializeOwned,
    {
        let call = load::<D, T, N>(db, arg1);
        ::cached_runtime::__private::force(
                Self::__site().site(),
                ::cached_runtime::__private::Mode::Refresh,
                call,
            )
            .await
    }
    ///Runs the body of `load(…)`; nothing is looked up, stored or counted.
    async fn uncached(db: &D, arg1: (T, T)) -> [T; N]
    where
        D: Db,
        T: ::core::marker::Sized,
        T: Serialize + DeserializeOwned,
    {
        let call = load::<D, T, N>(db, arg1);
        ::cached_runtime::__private::force(
                Self::__site().site(),
                ::cached_runtime::__private::Mode::Uncached,
                call,
            )
            .await
    }
    ///Calls `load(…)`, and says where its value came from, and how old it is.
    async fn fetch(db: &D, arg1: (T, T)) -> ::cached_runtime::Fetched<[T; N]>
    where
        D: Db,
        T: ::core::marker::Sized,
        T: Serialize + DeserializeOwned,
    {
        let call = load::<D, T, N>(db, arg1);
        ::cached_runtime::__private::fetch(Self::__site().site(), call).await
    }
    /**Removes all entries of `load`. How many there were. Walks the whole keyspace (SCAN), which the option `invalidate_all` spares.

# Errors
Where the store could not be told; some may be removed already.*/
    async fn invalidate_all() -> ::core::result::Result<u64, ::cached_runtime::Error>
    where
        D: Db,
        T: ::core::marker::Sized,
        T: Serialize + DeserializeOwned,
    {
        {
            let entry = ::cached_runtime::__private::presumed!(
                unshared, [T; N], ::core::marker::PhantomData:: <
                ::cached_runtime::__private::CacheDefault >,
                ::cached_runtime::__private::current(), Self::__site(), &
                [::cached_runtime::__private::Cow::Borrowed(::core::any::type_name:: < T
                > ()), ::cached_runtime::__private::const_name(N)]
            );
            entry
        }
            .invalidate_all()
            .await
    }
    ///What happened to the calls of `load` in this process.
    fn stats() -> ::cached_runtime::FunctionStats
    where
        D: Db,
        T: ::core::marker::Sized,
        T: Serialize + DeserializeOwned,
    {
        {
            let entry = ::cached_runtime::__private::presumed!(
                unshared, [T; N], ::core::marker::PhantomData:: <
                ::cached_runtime::__private::CacheDefault >,
                ::cached_runtime::__private::current(), Self::__site(), &
                [::cached_runtime::__private::Cow::Borrowed(::core::any::type_name:: < T
                > ()), ::cached_runtime::__private::const_name(N)]
            );
            entry
        }
            .stats()
    }
    #[doc(hidden)]
    fn __target((a, b): (T, T)) -> ::cached_runtime::__private::Target
    where
        D: Db,
        T: ::core::marker::Sized,
        T: Serialize + DeserializeOwned,
    {
        {
            let mut entry = ::cached_runtime::__private::presumed!(
                unshared, [T; N], ::core::marker::PhantomData:: <
                ::cached_runtime::__private::CacheDefault >,
                ::cached_runtime::__private::current(), Self::__site(), &
                [::cached_runtime::__private::Cow::Borrowed(::core::any::type_name:: < T
                > ()), ::cached_runtime::__private::const_name(N)]
            );
            entry
                .add(
                    ::cached_runtime::__private::PartOf::Arg,
                    &::cached_runtime::__private::part!(& a),
                );
            entry
                .add(
                    ::cached_runtime::__private::PartOf::Arg,
                    &::cached_runtime::__private::part!(& b),
                );
            entry
        }
            .target()
    }
}
