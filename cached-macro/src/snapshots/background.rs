#[allow(unused_braces)]
async fn get_user(id: u64, kind: impl Kind + 'static) -> Result<User, sqlx::Error> {
    ::cached_runtime::__private::made(|| {
            {
                let mut entry = ::cached_runtime::__private::required!(
                    probe, Result < User, sqlx::Error >, ::core::marker::PhantomData:: <
                    ::cached_runtime::__private::CacheDefault >,
                    ::cached_runtime::__private::current(), { static SITE :
                    ::cached_runtime::__private::Site =
                    ::cached_runtime::__private::Site::new(::core::option::Option::None,
                    "{id}", ::cached_runtime::__private::position!(),
                    ::cached_runtime::__private::Side::Function);
                    ::cached_runtime::__private::At::new(& SITE,
                    ::cached_runtime::__private::place!()) }, & []
                );
                entry.text(":");
                entry.capture(&id);
                entry
                    .tag(|tag| {
                        tag.text("kind:");
                        tag.part(&::cached_runtime::__private::tag_part!(kind));
                    });
                entry
                    .tag(|tag| {
                        tag.text("user:");
                        tag.part(&::cached_runtime::__private::tag_part!(id));
                    });
                entry
            }
                .cached(::core::time::Duration::new(60u64, 0u32))
                .stale_while_revalidate(::core::time::Duration::new(30u64, 0u32))
        })
        .run_owned(async move {
            if false {
                return ::cached_runtime::__private::returning::<
                    Result<User, sqlx::Error>,
                >();
            }
            { query(id, kind).await }
        })
        .await
}
