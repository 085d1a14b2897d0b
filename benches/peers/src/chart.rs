//! The ratios as bars, on a logarithmic scale with a line at 1.

use std::error::Error;
use std::path::Path;

use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use crate::figure::{Comparison, Figure, Unit};
use crate::report::digits;

const WIDTH: i32 = 1000;
const LINE: i32 = 20;
/// Where the labels end, and where the scale begins and ends.
const LABELS: i32 = 440;
const SCALE: (i32, i32) = (455, 930);
const RANGE: (f64, f64) = (0.1, 100.0);
const BETTER: RGBColor = RGBColor(46, 125, 90);
const WORSE: RGBColor = RGBColor(192, 92, 60);
const GRID: RGBColor = RGBColor(215, 215, 215);

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

pub(crate) fn draw(figures: &[Figure], file: &Path) -> Result<(), Box<dyn Error>> {
    let groups: Vec<(String, Vec<Comparison<'_>>)> = groups(figures);
    let lines: usize = groups.iter().map(|(_, bars)| bars.len() + 2).sum();
    let height = LINE * (i32::try_from(lines)? + 4);
    let area = SVGBackend::new(file, (WIDTH.cast_unsigned(), height.cast_unsigned()));
    let area = area.into_drawing_area();
    area.fill(&WHITE)?;
    text(&area, "How many times better than each way", (20, LINE), 18, HPos::Left)?;
    grid(&area, height)?;
    let mut y = 3 * LINE;
    for (title, bars) in &groups {
        text(&area, title, (20, y), 14, HPos::Left)?;
        y += LINE;
        for comparison in bars {
            bar(&area, comparison, y)?;
            y += LINE;
        }
        y += LINE;
    }
    area.present()?;
    Ok(())
}

/// The comparisons under their headings. Allocations are figures for the table.
fn groups(figures: &[Figure]) -> Vec<(String, Vec<Comparison<'_>>)> {
    let mut groups: Vec<(String, Vec<Comparison<'_>>)> = Vec::new();
    for figure in figures.iter().filter(|figure| figure.unit != Unit::Allocations) {
        let title = format!("{}: {}", figure.group, figure.unit.name());
        let comparisons = figure.comparisons();
        match groups.iter_mut().find(|(known, _)| *known == title) {
            Some((_, bars)) => bars.extend(comparisons),
            None if comparisons.is_empty() => {}
            None => groups.push((title, comparisons)),
        }
    }
    groups
}

fn grid(area: &Area<'_>, height: i32) -> Result<(), Box<dyn Error>> {
    for at in [0.1, 0.5, 1.0, 2.0, 5.0, 10.0, 100.0] {
        let colour = if at == 1.0 { &BLACK } else { &GRID };
        let line = [(x(at), 2 * LINE), (x(at), height - LINE)];
        area.draw(&PathElement::new(line, colour.stroke_width(1)))?;
        text(area, &at.to_string(), (x(at), 2 * LINE - 10), 11, HPos::Center)?;
    }
    Ok(())
}

fn bar(area: &Area<'_>, comparison: &Comparison<'_>, y: i32) -> Result<(), Box<dyn Error>> {
    let better = comparison.figure.unit.times_better(comparison.ratio);
    let label = format!("{}, {}", comparison.figure.case, comparison.peer);
    text(area, &label, (LABELS, y), 12, HPos::Right)?;
    let colour = if better >= 1.0 { BETTER } else { WORSE };
    let (from, to) = (x(1.0).min(x(better)), x(1.0).max(x(better)));
    area.draw(&Rectangle::new([(from, y - 6), (to, y + 6)], colour.filled()))?;
    text(area, &digits(better), (to + 5, y), 11, HPos::Left)
}

/// Where a ratio is on the scale.
fn x(ratio: f64) -> i32 {
    let (least, most) = (RANGE.0.ln(), RANGE.1.ln());
    let share = (ratio.ln().clamp(least, most) - least) / (most - least);
    SCALE.0 + (share * f64::from(SCALE.1 - SCALE.0)).round() as i32
}

fn text(
    area: &Area<'_>,
    text: &str,
    at: (i32, i32),
    size: u32,
    side: HPos,
) -> Result<(), Box<dyn Error>> {
    let style = ("sans-serif", size).into_font().color(&BLACK).pos(Pos::new(side, VPos::Center));
    area.draw(&Text::new(text, at, style))?;
    Ok(())
}
