//! What the attributes say about mistakes, grouped by option: each `.stderr` is what a user
//! reads. `TRYBUILD=overwrite cargo test -p cached-tests --test ui` writes them anew; look at the
//! difference before believing it.

#[test]
fn mistakes_are_reported_where_they_are_and_with_their_cure() {
    let cases = trybuild::TestCases::new();
    for group in ["companion", "options", "signature", "types"] {
        cases.pass(format!("ui/{group}/pass_*.rs"));
    }
    for group in [
        "companion",
        "invalidate",
        "key",
        "options",
        "receiver",
        "signature",
        "skip",
        "ttl",
        "types",
    ] {
        cases.compile_fail(format!("ui/{group}/fail_*.rs"));
    }
}
