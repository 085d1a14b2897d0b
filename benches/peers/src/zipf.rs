//! Indexes by Zipf's law, drawn ahead of what is measured, the same in each run.

use fastrand::Rng;

/// `draws` indexes below `items`, where the index `i` is drawn `1 / (i + 1)` as often as 0.
#[must_use]
pub fn zipf(items: usize, draws: usize, seed: u64) -> Vec<usize> {
    let mut total = 0.0;
    let sums: Vec<f64> = (1..=u32::try_from(items).expect("few items"))
        .map(|rank| {
            total += f64::from(rank).recip();
            total
        })
        .collect();
    let mut rng = Rng::with_seed(seed);
    (0..draws)
        .map(|_| {
            let point = rng.f64() * total;
            sums.partition_point(|sum| *sum <= point).min(items - 1)
        })
        .collect()
}
