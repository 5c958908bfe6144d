//! The day as strips of 24 hours.

use std::fmt::Write as _;

use super::{
    day::{self, HOURS},
    ledger::Look,
    twins::Twins,
};

const BLOCKS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
const LABEL: usize = 18;
const RED: &str = "\x1b[31m";
const YELLOW: &str = "\x1b[33m";
const GREEN: &str = "\x1b[32m";
const OFF: &str = "\x1b[0m";

/// What is drawn beside the looks.
#[derive(Debug, Clone, Copy)]
pub struct Legend {
    /// From these intensities on the policy throttles, a little and more.
    pub steps: [f64; 2],
    /// Where bars end, known before the day: they are not to shrink while it passes.
    pub most: Most,
    pub colour: bool,
}

/// The highest of each strip.
#[derive(Debug, Clone, Copy)]
pub struct Most {
    pub requests: f64,
    pub intensity: f64,
    pub replicas: f64,
}

/// Means of an hour, as far as it was seen.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Column {
    looks: u32,
    requests: f64,
    intensity: f64,
    replicas: Twins<f64>,
}

/// Six lines; hours that nobody saw are empty.
pub fn render(looks: &[Look], legend: Legend) -> String {
    let (columns, most) = (columns(looks), legend.most);
    let none = |_: &Column| "";
    let by_step = |column: &Column| match legend.steps {
        [_, much] if column.intensity >= much => RED,
        [little, _] if column.intensity >= little => YELLOW,
        _ => GREEN,
    };
    let green = |_: &Column| GREEN;
    let mut text = axis();
    let mut strip = |label: &str, most: f64, value: fn(&Column) -> f64, colour: &dyn Fn(&Column) -> &'static str| {
        let _ = write!(text, "{label:LABEL$}");
        for column in &columns {
            let (on, off) = if legend.colour && column.looks > 0 { (colour(column), OFF) } else { ("", "") };
            let bar = if column.looks > 0 { block(value(column), most) } else { ' ' };
            let _ = write!(text, "{on}{bar}{bar}{off} ");
        }
        let _ = writeln!(text, "{}", range(&columns, value));
    };
    strip("requests/s", most.requests, |column| column.requests, &none);
    strip("gCO2e/kWh", most.intensity, |column| column.intensity, &by_step);
    strip("replicas, plain", most.replicas, |column| column.replicas.plain, &none);
    strip("replicas, green", most.replicas, |column| column.replicas.green, &green);
    numbers(&mut text, &columns);
    text
}

fn axis() -> String {
    let mut text = format!("{:LABEL$}", "hour");
    for hour in (0..HOURS).step_by(3) {
        let _ = write!(text, "{hour:<9}");
    }
    format!("{}\n", text.trim_end())
}

/// How many replicas fewer, rounded.
fn numbers(text: &mut String, columns: &[Column; HOURS]) {
    let mut line = format!("{:LABEL$}", "fewer by");
    for column in columns {
        let fewer = column.replicas.plain - column.replicas.green;
        let shown = match format!("{fewer:.0}").as_str() {
            _ if column.looks == 0 => String::new(),
            "0" | "-0" => ".".to_owned(),
            some => some.to_owned(),
        };
        let _ = write!(line, "{shown:<3}");
    }
    let _ = writeln!(text, "{}", line.trim_end());
}

fn columns(looks: &[Look]) -> [Column; HOURS] {
    let mut columns = [Column::default(); HOURS];
    for look in looks {
        let Some(column) = columns.get_mut(day::number(look.hour)) else { continue };
        // A running mean.
        let share = f64::from(column.looks) + 1.0;
        let near = |mean: &mut f64, value: f64| *mean += (value - *mean) / share;
        near(&mut column.requests, look.requests);
        near(&mut column.intensity, look.intensity.get());
        let ready = look.replicas.map(|replicas| f64::from(replicas.ready));
        for (mean, value) in column.replicas.as_mut().into_iter().zip(ready.both()) {
            near(mean, value);
        }
        column.looks += 1;
    }
    columns
}

/// The lowest and the highest hour.
fn range(columns: &[Column; HOURS], value: impl Fn(&Column) -> f64) -> String {
    let seen = || columns.iter().filter(|column| column.looks > 0).map(&value);
    let (least, most) = (seen().fold(f64::INFINITY, f64::min), seen().fold(0.0, f64::max));
    if least.is_finite() { format!("{least:.0} to {most:.0}") } else { String::new() }
}

/// A bar that begins at zero.
fn block(value: f64, most: f64) -> char {
    let eighths = if most > 0.0 { (value / most * 8.0).ceil() } else { 0.0 };
    let levels = (1_u8..).zip(BLOCKS);
    let fitting = levels.map(|(level, block)| (f64::from(level), block)).find(|(level, _)| *level >= eighths);
    fitting.map_or('█', |(_, block)| block)
}

#[cfg(test)]
mod tests {
    use sci_core::quantity::GramsPerKwh;

    use super::{super::ledger::Replicas, *};

    fn looks(hours: u8) -> Vec<Look> {
        let look = |hour: u8, half: f64| {
            let count = |count: u8| Replicas { wanted: u32::from(count), ready: u32::from(count) };
            let hour_of_day = f64::from(hour);
            Look {
                hour: hour_of_day + half,
                requests: 100.0 * (hour_of_day + 1.0),
                intensity: GramsPerKwh::new(400.0 - 16.0 * hour_of_day).unwrap(),
                replicas: Twins {
                    plain: count(hour + 1),
                    green: count(if hour < 12 { hour / 2 + 1 } else { hour + 1 }),
                },
            }
        };
        (0..hours).flat_map(|hour| [look(hour, 0.0), look(hour, 0.5)]).collect()
    }

    const MOST: Most = Most { requests: 2_400.0, intensity: 400.0, replicas: 24.0 };
    const PLAIN: Legend = Legend { steps: [240.0, 330.0], most: MOST, colour: false };

    #[test]
    fn a_day_is_drawn() {
        assert_eq!(
            render(&looks(24), PLAIN),
            "\
hour              0        3        6        9        12       15       18       21
requests/s        ▁▁ ▁▁ ▁▁ ▂▂ ▂▂ ▂▂ ▃▃ ▃▃ ▃▃ ▄▄ ▄▄ ▄▄ ▅▅ ▅▅ ▅▅ ▆▆ ▆▆ ▆▆ ▇▇ ▇▇ ▇▇ ██ ██ ██ 100 to 2400
gCO2e/kWh         ██ ██ ██ ██ ▇▇ ▇▇ ▇▇ ▆▆ ▆▆ ▆▆ ▅▅ ▅▅ ▅▅ ▄▄ ▄▄ ▄▄ ▃▃ ▃▃ ▃▃ ▂▂ ▂▂ ▂▂ ▁▁ ▁▁ 32 to 400
replicas, plain   ▁▁ ▁▁ ▁▁ ▂▂ ▂▂ ▂▂ ▃▃ ▃▃ ▃▃ ▄▄ ▄▄ ▄▄ ▅▅ ▅▅ ▅▅ ▆▆ ▆▆ ▆▆ ▇▇ ▇▇ ▇▇ ██ ██ ██ 1 to 24
replicas, green   ▁▁ ▁▁ ▁▁ ▁▁ ▁▁ ▁▁ ▂▂ ▂▂ ▂▂ ▂▂ ▂▂ ▂▂ ▅▅ ▅▅ ▅▅ ▆▆ ▆▆ ▆▆ ▇▇ ▇▇ ▇▇ ██ ██ ██ 1 to 24
fewer by          .  1  1  2  2  3  3  4  4  5  5  6  .  .  .  .  .  .  .  .  .  .  .  .
"
        );
    }

    #[test]
    fn hours_to_come_are_empty() {
        let text = render(&looks(2), PLAIN);
        let strip = text.lines().nth(1).unwrap();
        assert_eq!(strip, format!("requests/s        ▁▁ ▁▁ {}100 to 200", "   ".repeat(22)));
        assert_eq!(text.lines().last(), Some("fewer by          .  1"));
        assert_eq!(render(&[], PLAIN).lines().nth(1).map(str::trim_end), Some("requests/s"));
    }

    #[test]
    fn a_terminal_shows_bands_of_the_curve_in_colours() {
        let text = render(&looks(24), Legend { colour: true, ..PLAIN });
        let strip = text.lines().nth(2).unwrap();
        for (colour, hours) in [(RED, 5), (YELLOW, 6), (GREEN, 13)] {
            assert_eq!(strip.matches(colour).count(), hours, "{colour:?} in {strip}");
        }
        assert!(!render(&looks(24), PLAIN).contains('\x1b'));
    }

    #[test]
    fn bars_begin_at_zero() {
        for (value, expected) in
            [(0.0, '▁'), (1.0, '▁'), (12.5, '▁'), (13.0, '▂'), (50.0, '▄'), (99.0, '█'), (100.0, '█')]
        {
            assert_eq!(block(value, 100.0), expected, "{value}");
        }
        assert_eq!(block(0.0, 0.0), '▁');
    }
}
