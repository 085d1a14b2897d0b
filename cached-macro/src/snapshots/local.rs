#[allow(unused_braces)]
async fn get_settings(id: u64) -> Arc<Settings> {
    if ::cached_runtime::__private::is_turn() {
        ::cached_runtime::__private::turn().await;
    }
    let plan = {
        let at = {
            static SITE: ::cached_runtime::__private::Site = ::cached_runtime::__private::Site::new(
                ::core::option::Option::None,
                "id: u64",
                ::cached_runtime::__private::position!(),
                ::cached_runtime::__private::Side::Function,
            );
            ::cached_runtime::__private::At::new(
                &SITE,
                ::cached_runtime::__private::place!(),
            )
        };
        let mut near = ::cached_runtime::__private::near(
            ::cached_runtime::__private::Probe::<Arc<Settings>>::NEW,
            ::cached_runtime::__private::kind_of!(Arc < Settings >),
            ::core::option::Option::None,
            ::cached_runtime::__private::current(),
            &at,
            &[],
        );
        near.arg(&id);
        if let ::core::option::Option::Some(found) = near.look() {
            return found;
        }
        let entry = {
            let mut entry = ::cached_runtime::__private::required!(
                probe, Arc < Settings >, ::core::marker::PhantomData:: <
                ::cached_runtime::__private::CacheDefault >, near.cache(), near.at(), &
                []
            );
            entry.arg(&id);
            entry
        }
            .local(&near);
        if let ::core::option::Option::Some(found) = entry.nearby() {
            return found;
        }
        entry.cached(::core::time::Duration::new(60u64, 0u32))
    };
    ::cached_runtime::__private::made(|| plan)
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
    let plan = {
        let at = {
            static SITE: ::cached_runtime::__private::Site = ::cached_runtime::__private::Site::new(
                ::core::option::Option::None,
                "id: u64",
                ::cached_runtime::__private::position!(),
                ::cached_runtime::__private::Side::Function,
            );
            ::cached_runtime::__private::At::new(
                &SITE,
                ::cached_runtime::__private::place!(),
            )
        };
        let mut near = ::cached_runtime::__private::near(
            ::cached_runtime::__private::Probe::<Option<User>>::NEW,
            ::cached_runtime::__private::kind_of!(Option < User >),
            ::core::option::Option::Some(::core::time::Duration::new(5u64, 0u32)),
            ::cached_runtime::__private::current(),
            &at,
            &[],
        );
        near.arg(&id);
        if let ::core::option::Option::Some(found) = near.look() {
            return found;
        }
        let entry = {
            let mut entry = ::cached_runtime::__private::required!(
                probe, Option < User >, ::core::marker::PhantomData:: <
                ::cached_runtime::__private::CacheDefault >, near.cache(), near.at(), &
                []
            );
            entry.arg(&id);
            entry
        }
            .local(&near);
        if let ::core::option::Option::Some(found) = entry.nearby() {
            return found;
        }
        entry.cached(::core::time::Duration::new(60u64, 0u32))
    };
    ::cached_runtime::__private::made(|| plan)
        .run_blocking(|| -> Option<User> { query(id) })
}
impl Repo {
    #[allow(unused_braces)]
    pub async fn find(self: Arc<Self>, id: u64) -> Result<User, sqlx::Error> {
        if ::cached_runtime::__private::is_turn() {
            ::cached_runtime::__private::turn().await;
        }
        let plan = {
            let at = {
                static SITE: ::cached_runtime::__private::Site = ::cached_runtime::__private::Site::new(
                    ::core::option::Option::None,
                    "{self.tenant}:{id}",
                    ::cached_runtime::__private::position!(),
                    ::cached_runtime::__private::Side::Function,
                );
                ::cached_runtime::__private::At::new(
                    &SITE,
                    ::cached_runtime::__private::place!(),
                )
            };
            let mut near = ::cached_runtime::__private::near(
                ::cached_runtime::__private::Probe::<Result<User, sqlx::Error>>::NEW,
                ::cached_runtime::__private::kind_of!(Result < User, sqlx::Error >),
                ::core::option::Option::Some(self.patience),
                ::cached_runtime::__private::named(&self.cache),
                &at,
                &[],
            );
            near.text(":");
            near.capture(&self.tenant);
            near.text(":");
            near.capture(&id);
            if let ::core::option::Option::Some(found) = near.look() {
                return found;
            }
            let entry = {
                let mut entry = ::cached_runtime::__private::required!(
                    probe, Result < User, sqlx::Error >, ::core::marker::PhantomData:: <
                    ::cached_runtime::__private::CacheDefault >, near.cache(), near.at(),
                    & []
                );
                entry.text(":");
                entry.capture(&self.tenant);
                entry.text(":");
                entry.capture(&id);
                entry
            }
                .local(&near);
            if let ::core::option::Option::Some(found) = entry.nearby() {
                return found;
            }
            entry
                .cached(::core::time::Duration::new(60u64, 0u32))
                .stale_while_revalidate(::core::time::Duration::new(30u64, 0u32))
                .refresh_ahead(0.8f64)
        };
        ::cached_runtime::__private::made(|| plan)
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
