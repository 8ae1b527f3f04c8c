//! A drawing of measurements as SVG: panels side by side, each with its own scale, legible on light and on
//! dark pages.
//!
//! Written by hand because it is a page, and because a chart library would bring fonts and pictures.

use std::fmt::Write as _;

/// One panel.
#[derive(Debug, Clone, Default)]
pub struct Panel {
    /// What it shows.
    pub title: String,
    /// The unit of the upright axis.
    pub unit: String,
    /// At most three.
    pub series: Vec<Series>,
}

/// One line of a panel.
#[derive(Debug, Clone, Default)]
pub struct Series {
    /// Its name in the legend; empty for the only one.
    pub name: String,
    /// Its points, from left to right.
    pub points: Vec<(f64, f64)>,
    /// Whether every point gets a dot.
    pub dots: bool,
}

const PANEL: (f64, f64) = (420.0, 250.0);
/// Left, right, top, bottom of a panel, around its axes.
const MARGIN: (f64, f64, f64, f64) = (56.0, 18.0, 46.0, 44.0);
const HEAD: f64 = 46.0;

const STYLE: &str = "
  text { font: 12px system-ui, sans-serif; fill: #24292f; }
  .title { font-weight: 600; font-size: 13px; }
  .head { font-weight: 600; font-size: 15px; }
  .quiet { fill: #57606a; }
  .page { fill: #ffffff; }
  .grid { stroke: #d0d7de; stroke-width: 1; }
  .line { fill: none; stroke-width: 2; stroke-linejoin: round; }
  .s0 { stroke: #0969da; } .d0 { fill: #0969da; }
  .s1 { stroke: #bc4c00; } .d1 { fill: #bc4c00; }
  .s2 { stroke: #1a7f37; } .d2 { fill: #1a7f37; }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3; } .quiet { fill: #9198a1; } .page { fill: #0d1117; } .grid { stroke: #30363d; }
    .s0 { stroke: #58a6ff; } .d0 { fill: #58a6ff; }
    .s1 { stroke: #f0883e; } .d1 { fill: #f0883e; }
    .s2 { stroke: #56d364; } .d2 { fill: #56d364; }
  }
";

/// Two panels in a row, under a title; `x` names the level axis, which all panels share.
#[must_use]
pub fn svg(title: &str, x: &str, panels: &[Panel]) -> String {
    let rows = panels.len().div_ceil(2) as f64;
    let (width, height) = (PANEL.0 * 2.0, HEAD + PANEL.1 * rows);
    let points = panels
        .iter()
        .flat_map(|panel| &panel.series)
        .flat_map(|one| &one.points);
    let x_max = points.fold(0.0_f64, |max, point| max.max(point.0));
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" role=\"img\">\n\
         <title>{title}</title>\n<style>{STYLE}</style>\n\
         <rect class=\"page\" width=\"{width}\" height=\"{height}\" rx=\"6\"/>\n\
         <text class=\"head\" x=\"18\" y=\"28\">{title}</text>\n"
    );
    for (n, panel) in panels.iter().enumerate() {
        let (column, row) = ((n % 2) as f64, (n / 2) as f64);
        let (left, top) = (column * PANEL.0, HEAD + row * PANEL.1);
        let _ = writeln!(out, "<g transform=\"translate({left} {top})\">");
        draw(&mut out, panel, x, x_max);
        out.push_str("</g>\n");
    }
    out + "</svg>\n"
}

fn draw(out: &mut String, panel: &Panel, x: &str, x_max: f64) {
    let (left, right, top, bottom) = MARGIN;
    let (wide, high) = (PANEL.0 - left - right, PANEL.1 - top - bottom);
    let values = panel.series.iter().flat_map(|one| &one.points);
    let y_max = values.fold(0.0_f64, |max, point| max.max(point.1));
    let (x_step, y_step) = (step(x_max), step(y_max));
    let x_end = (x_max / x_step).ceil().max(1.0) * x_step;
    let y_end = (y_max / y_step).ceil().max(1.0) * y_step;
    let at = |(x, y): (f64, f64)| (left + x / x_end * wide, top + high - y / y_end * high);

    let (title, unit) = (&panel.title, &panel.unit);
    let _ = writeln!(
        out,
        "<text class=\"title\" x=\"18\" y=\"16\">{title} <tspan class=\"quiet\" font-weight=\"400\">({unit})</tspan></text>"
    );
    for n in 0..=whole(y_end / y_step) {
        let value = n as f64 * y_step;
        let (x, y) = at((0.0, value));
        let _ = writeln!(
            out,
            "<path class=\"grid\" d=\"M{x:.1} {y:.1}h{wide:.1}\"/>\
             <text class=\"quiet\" x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
            x - 6.0,
            y + 4.0,
            number(value, y_step)
        );
    }
    for n in 0..=whole(x_end / x_step) {
        let value = n as f64 * x_step;
        let (x, y) = at((value, 0.0));
        let _ = writeln!(
            out,
            "<text class=\"quiet\" x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>",
            y + 16.0,
            number(value, x_step)
        );
    }
    let _ = writeln!(
        out,
        "<text class=\"quiet\" x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{x}</text>",
        left + wide / 2.0,
        top + high + 34.0
    );
    for (n, series) in panel.series.iter().enumerate() {
        let points = series.points.iter().map(|point| at(*point));
        let path: Vec<String> = points
            .clone()
            .map(|(x, y)| format!("{x:.1},{y:.1}"))
            .collect();
        let path = path.join(" ");
        let _ = writeln!(out, "<polyline class=\"line s{n}\" points=\"{path}\"/>");
        if series.dots {
            for (x, y) in points {
                let _ = writeln!(
                    out,
                    "<circle class=\"d{n}\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3.5\"/>"
                );
            }
        }
        if !series.name.is_empty() {
            let x = left + 8.0 + n as f64 * 112.0;
            let _ = writeln!(
                out,
                "<rect class=\"d{n}\" x=\"{x:.1}\" y=\"26\" width=\"10\" height=\"10\" rx=\"2\"/>\
                 <text x=\"{:.1}\" y=\"35\">{}</text>",
                x + 15.0,
                series.name
            );
        }
    }
}

/// A round step that makes about five of the greatest value.
fn step(max: f64) -> f64 {
    let rough = (max / 5.0).max(1e-9);
    let power = 10_f64.powf(rough.log10().floor());
    let steps = [1.0, 2.0, 2.5, 5.0, 10.0].map(|n| n * power);
    steps
        .into_iter()
        .find(|step| *step >= rough)
        .unwrap_or(power * 10.0)
}

fn whole(n: f64) -> u64 {
    n.round() as u64
}

fn number(value: f64, step: f64) -> String {
    let digits = if step >= 1.0 && step.fract() == 0.0 {
        0
    } else {
        2
    };
    let text = format!("{value:.digits$}");
    if digits == 0 {
        return text;
    }
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_round_and_points_lie_inside() {
        assert_eq!(
            [step(10.0), step(7.0), step(0.9), step(130.0)],
            [2.0, 2.0, 0.2, 50.0]
        );
        let series = Series {
            name: "a".into(),
            points: vec![(0.0, 1.0), (10.0, 3.0)],
            dots: true,
        };
        let panel = Panel {
            title: "t".into(),
            unit: "u".into(),
            series: vec![series],
        };
        let drawn = svg("all", "x", &[panel]);
        assert_eq!(drawn.matches("<circle").count(), 2);
        // The right end of the level axis is the greatest value, the upper end of the other the next step.
        assert!(drawn.contains("cx=\"402.0\" cy=\"46.0\""), "{drawn}");
    }
}
