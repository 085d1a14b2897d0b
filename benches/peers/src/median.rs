//! The figure in the middle of the rounds.

/// The median of `figures`.
///
/// # Panics
/// Where there are none.
#[must_use]
pub fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}
