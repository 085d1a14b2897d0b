#[instrument]
#[allow(unused_braces)]
async fn get_user(tenant: &Tenant, id: u64) -> Result<Option<User>, Error> {
    crate::cached_runtime::__private::made(|| {
            {
                let mut entry = crate::cached_runtime::__private::required!(
                    probe, Result < Option < User >, Error >,
                    ::core::marker::PhantomData:: < crate
                    ::cached_runtime::__private::Named < MessagePack > >, crate
                    ::cached_runtime::__private::named(& tenant.cache), { static SITE :
                    crate ::cached_runtime::__private::Site = crate
                    ::cached_runtime::__private::Site::new(::core::option::Option::Some("users"),
                    "v1:{.id}:{}", crate ::cached_runtime::__private::position!(), crate
                    ::cached_runtime::__private::Side::Function); crate
                    ::cached_runtime::__private::At::new(& SITE, crate
                    ::cached_runtime::__private::place!()) }, & []
                );
                entry.text(":");
                entry.text("v1:");
                entry.capture(&tenant.id);
                entry.text(":");
                entry.capture(&id);
                entry
                    .tag(|tag| {
                        tag.text("tenant:");
                        tag.part(
                            &crate::cached_runtime::__private::tag_part!(tenant.id),
                        );
                    });
                entry
                    .tag(|tag| {
                        tag.text("users");
                    });
                entry.tag_function();
                entry
            }
                .cached_by(|user| Duration::from_secs(user.age))
                .stale_while_revalidate(::core::time::Duration::new(300u64, 0u32))
                .stale_if_error(tenant.patience)
                .refresh_ahead(0.8f64)
                .early_refresh(1f64)
                .soft_timeout(::core::time::Duration::new(0u64, 100000000u32))
                .load_timeout(::core::time::Duration::new(2u64, 0u32))
                .single_flight(crate::cached_runtime::__private::SingleFlight::Process)
                .jitter(0.1f64)
                .compress::<crate::cached_runtime::__private::Zstd>(4096)
                .cache_if(User::is_complete)
                .none_ttl(::core::time::Duration::new(5u64, 0u32))
                .err_ttl(
                    ::core::time::Duration::new(0u64, 250000000u32),
                    ::core::marker::PhantomData::<
                        crate::cached_runtime::__private::Named<MessagePack>,
                    >,
                )
        })
        .run(async move {
            if false {
                return crate::cached_runtime::__private::returning::<
                    Result<Option<User>, Error>,
                >();
            }
            { tenant.query(id).await }
        })
        .await
}
