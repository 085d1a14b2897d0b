impl Repo {
    #[allow(unused_braces)]
    pub async fn find(&self, id: u64) -> Result<Option<User>, sqlx::Error> {
        ::cached_runtime::__private::made(|| {
                {
                    let mut entry = ::cached_runtime::__private::required!(
                        probe, Result < Option < User >, sqlx::Error >,
                        ::core::marker::PhantomData:: <
                        ::cached_runtime::__private::CacheDefault >,
                        ::cached_runtime::__private::named(& self.cache), { static SITE :
                        ::cached_runtime::__private::Site =
                        ::cached_runtime::__private::Site::new(::core::option::Option::None,
                        "{self.tenant}:{id}", ::cached_runtime::__private::position!(),
                        ::cached_runtime::__private::Side::Function);
                        ::cached_runtime::__private::At::new(& SITE,
                        ::cached_runtime::__private::place!()) }, & []
                    );
                    Self::__key_find(&*self, &mut entry, &id);
                    entry
                }
                    .cached(::core::time::Duration::new(60u64, 0u32))
            })
            .run(async move {
                if false {
                    return ::cached_runtime::__private::returning::<
                        Result<Option<User>, sqlx::Error>,
                    >();
                }
                { self.query(id).await }
            })
            .await
    }
    #[doc(hidden)]
    #[allow(
        unused,
        deprecated,
        nonstandard_style,
        unused_parens,
        clippy::all,
        clippy::pedantic,
        clippy::nursery
    )]
    #[inline]
    fn __key_find(
        &self,
        entry: &mut impl ::cached_runtime::__private::Keyed,
        id: &(u64),
    ) {
        entry.text(":");
        entry.capture(&self.tenant);
        entry.text(":");
        entry.capture(&id);
    }
    ///The entry of one call of `find`: `invalidate`, `peek`, `put`, `refresh`, `uncached`, `fetch`, `key`, `invalidate_all`, `stats`.
    pub fn find_cache(
        &self,
        id: u64,
    ) -> ::cached_runtime::__private::Handle<
        Result<Option<User>, sqlx::Error>,
        impl ::cached_runtime::__private::Recipe<Result<Option<User>, sqlx::Error>>,
        impl ::core::future::Future<Output = Result<Option<User>, sqlx::Error>>,
    > {
        let plan = {
            let mut entry = ::cached_runtime::__private::presumed!(
                probe, Result < Option < User >, sqlx::Error >,
                ::core::marker::PhantomData:: < ::cached_runtime::__private::CacheDefault
                >, ::cached_runtime::__private::named(& self.cache), { static SITE :
                ::cached_runtime::__private::Site =
                ::cached_runtime::__private::Site::new(::core::option::Option::None,
                "{self.tenant}:{id}", ::cached_runtime::__private::position!(),
                ::cached_runtime::__private::Side::Handle);
                ::cached_runtime::__private::At::new(& SITE,
                ::cached_runtime::__private::place!()) }, & []
            );
            Self::__key_find(&*self, &mut entry, &id);
            entry
        }
            .cached(::core::time::Duration::new(60u64, 0u32));
        let call = Self::find(self, id);
        ::cached_runtime::__private::Handle::new(plan, call)
    }
}
