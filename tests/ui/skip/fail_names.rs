use cached_runtime::cache_result;

#[cache_result(ttl = 60, skip(bd))]
async fn slip(db: &str, id: u64) -> u64 {
    db.len() as u64 + id
}

#[cache_result(ttl = 60, skip(context))]
async fn no_argument(db: &str, id: u64) -> u64 {
    db.len() as u64 + id
}

#[cache_result(ttl = 60, skip(self))]
async fn no_self(id: u64) -> u64 {
    id
}

#[cache_result(ttl = 60, key = "{id}", skip(id))]
async fn in_the_key_too(id: u64) -> u64 {
    id
}

#[cache_result(ttl = 60, skip)]
async fn alone(id: u64) -> u64 {
    id
}

#[cache_result(ttl = 60, skip = db)]
async fn as_a_value(db: &str, id: u64) -> u64 {
    db.len() as u64 + id
}

#[cache_result(ttl = 60, skip("db"))]
async fn in_quotes(db: &str, id: u64) -> u64 {
    db.len() as u64 + id
}

#[cache_result(ttl = 60, skip(db, db))]
async fn twice(db: &str, id: u64) -> u64 {
    db.len() as u64 + id
}

fn main() {}
