use cached_runtime::cache_result;

#[cache_result(ttl = 60, tags = "users")]
async fn no_list(id: u64) -> u64 {
    id
}

#[cache_result(ttl = 60, tags = [])]
async fn empty_list(id: u64) -> u64 {
    id
}

#[cache_result(ttl = 60, tags)]
async fn alone(id: u64) -> u64 {
    id
}

#[cache_result(ttl = 60, tags = ["", "user:{}"])]
async fn malformed(id: u64) -> u64 {
    id
}

#[cache_result(ttl = 60, tags = ["user:{id}", users, "user:{id}"])]
async fn no_text_and_twice(id: u64) -> u64 {
    id
}

#[cache_result(ttl = 60, tags = ["user:{user_id}", "order:{idd}", "{self.tenant}"])]
async fn unknown_names(id: u64) -> u64 {
    id
}

#[cache_result(ttl = 60, tags = |user| ["user:{user.id}"])]
async fn a_closure(id: u64) -> u64 {
    id
}

#[cache_result(ttl = 60, tags = [
    "1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "12", "13", "14", "15", "16", "17",
    "18", "19", "20", "21", "22", "23", "24", "25", "26", "27", "28", "29", "30", "31", "32", "33",
])]
async fn too_many(id: u64) -> u64 {
    id
}

fn main() {}
