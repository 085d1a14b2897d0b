impl Repo {
    #[allow(unused_braces)]
    fn find<'life0, 'async_trait>(
        &'life0 self,
        id: u64,
    ) -> ::core::pin::Pin<
        Box<
            dyn ::core::future::Future<
                Output = Option<User>,
            > + ::core::marker::Send + 'async_trait,
        >,
    >
    where
        'life0: 'async_trait,
    {
        ::std::boxed::Box::pin(async move {
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
                    let body: ::core::pin::Pin<
                        Box<
                            dyn ::core::future::Future<
                                Output = Option<User>,
                            > + ::core::marker::Send + 'async_trait,
                        >,
                    > = { Box::pin(async move { self.query(id).await }) };
                    body.await
                })
                .await
        })
    }
}
