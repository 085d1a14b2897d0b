impl Repo {
    #[allow(unused_braces)]
    async fn rename(&mut self, id: u64, name: String) -> Result<(), Error> {
        let mut invalidation = ::cached_runtime::__private::Invalidation::of(
            "rename",
            ::cached_runtime::__private::current(),
        );
        invalidation
            .entry({
                let target: fn(_) -> _ = ::cached_runtime::__private::cache_result_is_missing_above_it_or_what_it_skips_is_given!(
                    get_user
                );
                target(::core::clone::Clone::clone(&id))
            });
        invalidation.entry(self.find_cache(&name).target());
        invalidation
            .pattern(|template| {
                template.text("*get_orders*:");
                template.capture(&id);
            });
        invalidation
            .after(
                ::cached_runtime::__private::Probe::<Result<(), Error>>::NEW,
                ::cached_runtime::__private::kind_of!(Result < (), Error >),
                async move {
                    if false {
                        return ::cached_runtime::__private::returning::<
                            Result<(), Error>,
                        >();
                    }
                    { self.update(id, name).await }
                },
            )
            .await
    }
}
