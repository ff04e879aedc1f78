//! One plot as inline SVG: lines over two axes, each linear or logarithmic. It knows points and their
//! names, and nothing of what they mean. By hand, since a plotting crate is more than its forty lines of
//! geometry.

use std::fmt::Write;

/// Width and height of a plot, and its margins: left, right, top, bottom.
const SIZE: (f64, f64) = (640.0, 340.0);
const MARGIN: [f64; 4] = [72.0, 170.0, 30.0, 44.0];
/// Told apart with most kinds of colour blindness (Okabe and Ito).
const COLOURS: [&str; 7] = [
    "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000",
];

/// Lines over two axes.
pub struct Plot {
    /// What is shown.
    pub title: String,
    /// Along.
    pub x: Axis,
    /// Up.
    pub y: Axis,
    /// The lines.
    pub series: Vec<Series>,
}

/// One axis.
pub struct Axis {
    /// What is along it, with its unit.
    pub label: &'static str,
    /// Whether equal steps are equal factors.
    pub log: bool,
    /// How a value on it is written.
    pub show: fn(f64) -> String,
}

/// One line.
pub struct Series {
    /// What it is.
    pub name: String,
    /// Its points, by x.
    pub points: Vec<(f64, f64)>,
}

/// An axis with its bounds: values to positions.
struct Scale<'a> {
    axis: &'a Axis,
    from: f64,
    to: f64,
    /// Where `from` and `to` are drawn.
    at: (f64, f64),
}

impl Scale<'_> {
    fn new(axis: &Axis, values: impl Iterator<Item = f64>, at: (f64, f64)) -> Scale<'_> {
        let values: Vec<f64> = values.filter(|value| !axis.log || *value > 0.0).collect();
        let least = values.iter().copied().fold(f64::INFINITY, f64::min);
        let most = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let (from, to) = match (values.is_empty(), axis.log) {
            (true, _) => (1.0, 10.0),
            (false, true) => {
                let (from, to) = (least.log10().floor(), most.log10().ceil());
                (10_f64.powf(from), 10_f64.powf(to.max(from + 1.0)))
            }
            (false, false) => {
                let step = step(most.max(f64::MIN_POSITIVE));
                (0.0, (most / step).ceil() * step)
            }
        };
        Scale { axis, from, to, at }
    }

    fn place(&self, value: f64) -> f64 {
        let part = match self.axis.log {
            true => (value / self.from).log10() / (self.to / self.from).log10(),
            false => (value - self.from) / (self.to - self.from),
        };
        self.at.0 + (self.at.1 - self.at.0) * part
    }

    fn ticks(&self) -> Vec<f64> {
        match self.axis.log {
            true => {
                let decades = (self.to / self.from).log10().round() as i32;
                (0..=decades)
                    .map(|decade| self.from * 10_f64.powi(decade))
                    .collect()
            }
            false => {
                let step = step(self.to);
                let count = (self.to / step).round() as usize;
                (0..=count).map(|at| step * at as f64).collect()
            }
        }
    }
}

/// A step of 1, 2 or 5 times a power of ten, of which there are four to eleven up to `most`.
fn step(most: f64) -> f64 {
    let decade = 10_f64.powf((most / 4.0).log10().floor());
    let steps = [5.0, 2.0, 1.0].map(|times| times * decade);
    steps
        .into_iter()
        .find(|step| most / step >= 4.0)
        .unwrap_or(decade)
}

impl Plot {
    /// The plot as an SVG element.
    pub fn svg(&self) -> String {
        let ((width, height), [left, right, top, bottom]) = (SIZE, MARGIN);
        let points = || self.series.iter().flat_map(|series| &series.points);
        let x = Scale::new(
            &self.x,
            points().map(|point| point.0),
            (left, width - right),
        );
        let y = Scale::new(
            &self.y,
            points().map(|point| point.1),
            (height - bottom, top),
        );
        let mut svg = format!(
            "<svg viewBox=\"0 0 {width} {height}\" width=\"{width}\" height=\"{height}\" role=\"img\">\
             <title>{title}</title><text x=\"{left}\" y=\"18\" class=\"title\">{title}</text>",
            title = escaped(&self.title)
        );
        self.axes(&mut svg, &x, &y);
        for (at, series) in self.series.iter().enumerate() {
            let colour = COLOURS[at % COLOURS.len()];
            let shown = series
                .points
                .iter()
                .filter(|(px, py)| (!self.x.log || *px > 0.0) && (!self.y.log || *py > 0.0));
            let path: Vec<String> = shown
                .map(|(px, py)| format!("{:.1},{:.1}", x.place(*px), y.place(*py)))
                .collect();
            let (row, name) = (top + 8.0 + 16.0 * at as f64, escaped(&series.name));
            let _ = write!(
                svg,
                "<polyline points=\"{}\" stroke=\"{colour}\"/>\
                 <rect x=\"{:.1}\" y=\"{:.1}\" width=\"10\" height=\"10\" fill=\"{colour}\"/>\
                 <text x=\"{:.1}\" y=\"{:.1}\">{name}</text>",
                path.join(" "),
                width - right + 12.0,
                row - 8.0,
                width - right + 26.0,
                row + 1.0,
            );
        }
        svg + "</svg>"
    }

    fn axes(&self, svg: &mut String, x: &Scale<'_>, y: &Scale<'_>) {
        let ((left, right), (bottom, top)) = (x.at, y.at);
        for tick in x.ticks() {
            let (at, text) = (x.place(tick), escaped(&(self.x.show)(tick)));
            let _ = write!(
                svg,
                "<line x1=\"{at:.1}\" y1=\"{top}\" x2=\"{at:.1}\" y2=\"{bottom}\"/>\
                 <text x=\"{at:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{text}</text>",
                bottom + 16.0
            );
        }
        for tick in y.ticks() {
            let (at, text) = (y.place(tick), escaped(&(self.y.show)(tick)));
            let _ = write!(
                svg,
                "<line x1=\"{left}\" y1=\"{at:.1}\" x2=\"{right}\" y2=\"{at:.1}\"/>\
                 <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{text}</text>",
                left - 6.0,
                at + 4.0
            );
        }
        let (label, up) = (escaped(self.x.label), escaped(self.y.label));
        let _ = write!(
            svg,
            "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{label}</text>\
             <text transform=\"translate(14 {:.1}) rotate(-90)\" text-anchor=\"middle\">{up}</text>",
            (left + right) / 2.0,
            bottom + 34.0,
            (top + bottom) / 2.0
        );
    }
}

/// Text as it must be in HTML.
pub fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINEAR: Axis = Axis {
        label: "x",
        log: false,
        show: |value| value.to_string(),
    };

    #[test]
    fn points_are_between_the_axes() {
        let scale = Scale::new(&LINEAR, [3.0, 87.0].into_iter(), (0.0, 100.0));
        assert_eq!((scale.from, scale.to), (0.0, 100.0));
        assert_eq!(scale.place(87.0), 87.0);
        assert_eq!(scale.ticks(), [0.0, 20.0, 40.0, 60.0, 80.0, 100.0]);
        let axis = Axis {
            log: true,
            ..LINEAR
        };
        let scale = Scale::new(&axis, [0.0, 20.0, 3_000.0].into_iter(), (0.0, 30.0));
        assert_eq!((scale.from, scale.to), (10.0, 10_000.0));
        assert!((scale.place(1_000.0) - 20.0).abs() < 1e-9);
        assert_eq!(scale.ticks(), [10.0, 100.0, 1_000.0, 10_000.0]);
    }

    #[test]
    fn nothing_to_show_is_a_plot_too() {
        for log in [false, true] {
            let axis = || Axis { log, ..LINEAR };
            let series = Vec::new();
            let plot = Plot {
                title: "<none>".to_owned(),
                x: axis(),
                y: axis(),
                series,
            };
            let svg = plot.svg();
            assert!(
                svg.contains("&lt;none&gt;") && !svg.contains("NaN"),
                "{svg}"
            );
        }
    }
}
