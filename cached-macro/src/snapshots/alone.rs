#[allow(unused_braces)]
async fn get_user(id: u64) -> Option<User> {
    ::cached_runtime::__private::made(|| {
            {
                let mut entry = ::cached_runtime::__private::required!(
                    probe, Option < User >, ::core::marker::PhantomData:: <
                    ::cached_runtime::__private::CacheDefault >,
                    ::cached_runtime::__private::current(), { static SITE :
                    ::cached_runtime::__private::Site =
                    ::cached_runtime::__private::Site::new(::core::option::Option::None,
                    "id: u64", ::cached_runtime::__private::position!(),
                    ::cached_runtime::__private::Side::Function);
                    ::cached_runtime::__private::At::new(& SITE,
                    ::cached_runtime::__private::place!()) }, & []
                );
                entry.arg(&id);
                entry
            }
                .cached(::core::time::Duration::new(60u64, 0u32))
        })
        .run(async move {
            if false {
                return ::cached_runtime::__private::returning::<Option<User>>();
            }
            { query(id).await }
        })
        .await
}
