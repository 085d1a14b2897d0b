#[allow(unused_braces)]
async fn create(tenant: String, name: String) -> Result<User, Error> {
    let mut invalidation = ::cached_runtime::__private::Invalidation::of(
        "create",
        ::cached_runtime::__private::current(),
    );
    invalidation
        .tag(|template| {
            template.text("users");
        });
    let kept_tenant = ::core::clone::Clone::clone(&tenant);
    invalidation
        .after_with(
            ::cached_runtime::__private::Probe::<Result<User, Error>>::NEW,
            ::cached_runtime::__private::kind_of!(Result < User, Error >),
            async move {
                if false {
                    return ::cached_runtime::__private::returning::<
                        Result<User, Error>,
                    >();
                }
                { insert(tenant, name).await }
            },
            move |invalidation, value| {
                let tenant = kept_tenant;
                {
                    let user = value;
                    invalidation
                        .entry({
                            let target: fn(_) -> _ = ::cached_runtime::__private::cache_result_is_missing_above_it_or_what_it_skips_is_given!(
                                get_user
                            );
                            target(::core::clone::Clone::clone(&user.id))
                        });
                }
                {
                    let user: &User = value;
                    invalidation
                        .tag(|template| {
                            template.text("tenant:");
                            template
                                .part(&::cached_runtime::__private::tag_part!(tenant));
                        });
                    invalidation
                        .tag(|template| {
                            template.text("team:");
                            template
                                .part(&::cached_runtime::__private::tag_part!(user.team));
                        });
                }
            },
            ::cached_runtime::__private::returned(
                ::cached_runtime::__private::Probe::<Result<User, Error>>::NEW,
                ::cached_runtime::__private::kind_of!(Result < User, Error >),
            ),
        )
        .await
}
