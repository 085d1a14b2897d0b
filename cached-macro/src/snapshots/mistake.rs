async fn get_user(id: u64) -> User {
    query(id).await
}
::core::compile_error! {
    "`get_user` has no argument `name`; its arguments are `id`"
}
::core::compile_error! {
    "a duration must not be zero: write seconds (`60`, `0.25`) or text with units ms, s, m, h, d (`\"250ms\"`, `\"1h30m\"`); to switch caching off, remove the attribute"
}
