#[allow(unused_braces)]
async fn get_settings(id: u64) -> Arc<Settings> {
    let mut entry = {
        let mut entry = ::cached_runtime::__private::entry(
            ::cached_runtime::__private::Probe::<Arc<Settings>>::NEW,
            ::cached_runtime::__private::probe!(Arc < Settings >),
            ::core::marker::PhantomData::<::cached_runtime::__private::CacheDefault>,
            ::cached_runtime::__private::current(),
            {
                static SITE: ::cached_runtime::__private::Site = ::cached_runtime::__private::Site::new(
                    ::core::option::Option::None,
                    "id: u64",
                );
                ::cached_runtime::__private::At::new(
                    &SITE,
                    ::cached_runtime::__private::place!(),
                )
            },
            &[],
        );
        entry.arg(&id);
        entry
    }
        .local(::core::option::Option::None);
    if let ::core::option::Option::Some(found) = entry.nearby().await {
        return found;
    }
    entry
        .cached(::core::time::Duration::new(60u64, 0u32))
        .run(async move {
            if false {
                return ::cached_runtime::__private::returning::<Arc<Settings>>();
            }
            { query(id).await }
        })
        .await
}
#[allow(unused_braces)]
fn get_user(id: u64) -> Option<User> {
    let mut entry = {
        let mut entry = ::cached_runtime::__private::entry(
            ::cached_runtime::__private::Probe::<Option<User>>::NEW,
            ::cached_runtime::__private::probe!(Option < User >),
            ::core::marker::PhantomData::<::cached_runtime::__private::CacheDefault>,
            ::cached_runtime::__private::current(),
            {
                static SITE: ::cached_runtime::__private::Site = ::cached_runtime::__private::Site::new(
                    ::core::option::Option::None,
                    "id: u64",
                );
                ::cached_runtime::__private::At::new(
                    &SITE,
                    ::cached_runtime::__private::place!(),
                )
            },
            &[],
        );
        entry.arg(&id);
        entry
    }
        .local(::core::option::Option::Some(::core::time::Duration::new(5u64, 0u32)));
    if let ::core::option::Option::Some(found) = entry.nearby_blocking() {
        return found;
    }
    entry
        .cached(::core::time::Duration::new(60u64, 0u32))
        .run_blocking(|| -> Option<User> { query(id) })
}
impl Repo {
    #[allow(unused_braces)]
    pub async fn find(self: Arc<Self>, id: u64) -> Result<User, sqlx::Error> {
        let mut entry = {
            let mut entry = ::cached_runtime::__private::entry(
                ::cached_runtime::__private::Probe::<Result<User, sqlx::Error>>::NEW,
                ::cached_runtime::__private::probe!(Result < User, sqlx::Error >),
                ::core::marker::PhantomData::<::cached_runtime::__private::CacheDefault>,
                ::cached_runtime::__private::named(&self.cache),
                {
                    static SITE: ::cached_runtime::__private::Site = ::cached_runtime::__private::Site::new(
                        ::core::option::Option::None,
                        "{self.tenant}:{id}",
                    );
                    ::cached_runtime::__private::At::new(
                        &SITE,
                        ::cached_runtime::__private::place!(),
                    )
                },
                &[],
            );
            entry.text(":");
            entry.capture(&self.tenant);
            entry.text(":");
            entry.capture(&id);
            entry
        }
            .local(::core::option::Option::Some(self.patience));
        if let ::core::option::Option::Some(found) = entry.nearby().await {
            return found;
        }
        entry
            .cached(::core::time::Duration::new(60u64, 0u32))
            .stale_while_revalidate(::core::time::Duration::new(30u64, 0u32))
            .refresh_ahead(0.8f64)
            .run_owned(async move {
                if false {
                    return ::cached_runtime::__private::returning::<
                        Result<User, sqlx::Error>,
                    >();
                }
                { self.query(id).await }
            })
            .await
    }
}
