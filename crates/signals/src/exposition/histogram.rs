//! Histograms and summaries put together from their samples.

use std::{collections::BTreeMap, io};

use jiff::Timestamp;
use prometheus_parse::{Scrape, Value};

use super::{ExpositionError, Options, Sample, SampleKind, number, parse_with};
use crate::energy::SampleCounts;

/// What a page holds of them.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Grouped {
    /// Histograms, in the order of the page.
    pub histograms: Vec<Histogram>,
    /// Summaries, in the order of the page.
    pub summaries: Vec<Summary>,
    /// Samples and lines; wanted samples of other types count as skipped.
    pub counts: SampleCounts,
}

/// Observations by size.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Histogram {
    /// Its name, labels and time.
    pub series: Series,
    /// From the smallest bound to the largest.
    pub buckets: Vec<Bucket>,
    /// Sum of all observations.
    pub sum: Option<f64>,
    /// Number of all observations.
    pub count: Option<f64>,
}

/// Observations up to a bound.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bucket {
    /// The bound, infinite for the last one.
    pub less_or_equal: f64,
    /// How many; those of smaller bounds included.
    pub count: f64,
}

/// Observations by rank.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Summary {
    /// Its name, labels and time.
    pub series: Series,
    /// From the smallest rank to the largest.
    pub quantiles: Vec<Quantile>,
    /// Sum of all observations.
    pub sum: Option<f64>,
    /// Number of all observations.
    pub count: Option<f64>,
}

/// The value at a rank.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Quantile {
    /// The rank, from 0 to 1.
    pub quantile: f64,
    /// The value.
    pub value: f64,
}

/// What tells a histogram or summary from others.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Series {
    /// Name of the family.
    pub name: String,
    /// Labels by name, without `le` and `quantile`.
    pub labels: BTreeMap<String, String>,
    /// Time of its first sample, where that says so.
    pub at: Option<Timestamp>,
}

/// Samples under tokens: the family is `h` or `s`, the one label is the number of the series.
#[derive(Debug, Default)]
struct Tokens {
    lines: Vec<String>,
    series: Vec<Series>,
    numbers: BTreeMap<(char, String, BTreeMap<String, String>), usize>,
    counts: SampleCounts,
}

/// The part of a histogram or summary that a sample is.
#[derive(Debug, Clone, Copy)]
struct Part {
    /// `h` or `s`.
    token: char,
    /// Suffix of the sample, on the page and behind the token.
    suffix: &'static str,
    /// The label that is not part of the series.
    bound: Option<&'static str>,
}

/// Groups the histograms and summaries whose samples are wanted.
///
/// # Errors
/// [`ExpositionError`] where the content is no page.
pub fn histograms(text: &[u8], options: Options, wanted: impl Fn(&str) -> bool) -> Result<Grouped, ExpositionError> {
    let mut tokens = Tokens::default();
    let counts = parse_with(text, options, wanted, |sample| tokens.add(&sample, options.limits.series))?;
    let mut grouped = tokens.group();
    grouped.counts.skipped += counts.skipped;
    grouped.counts.malformed += counts.malformed;
    Ok(grouped)
}

impl Tokens {
    fn add(&mut self, sample: &Sample<'_>, limit: usize) {
        let Some(part) = Part::of(sample.kind) else {
            self.counts.skipped += 1;
            return;
        };
        match self.line(sample, part, limit) {
            Some(line) => {
                self.lines.push(line);
                self.counts.parsed += 1;
            }
            None => self.counts.malformed += 1,
        }
    }

    /// The sample under tokens. `None` where its bound is missing or no number, or a limit is exceeded.
    fn line(&mut self, sample: &Sample<'_>, part: Part, limit: usize) -> Option<String> {
        let bound = match part.bound {
            Some(label) => format!(",{label}=\"{}\"", number::value(sample.labels.get(label)?)?),
            None => String::new(),
        };
        let number = self.number(sample, part, limit)?;
        Some(format!("{}{}{{n=\"{number}\"{bound}}} {}", part.token, part.suffix, sample.value))
    }

    fn number(&mut self, sample: &Sample<'_>, part: Part, limit: usize) -> Option<usize> {
        let name = sample.name.strip_suffix(part.suffix).unwrap_or(sample.name).to_owned();
        let labels = sample.labels.iter().filter(|(name, _)| part.bound != Some(*name));
        let labels: BTreeMap<String, String> =
            labels.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        let key = (part.token, name, labels);
        if let Some(number) = self.numbers.get(&key) {
            return Some(*number);
        }
        let number = self.series.len();
        if number >= limit {
            return None;
        }
        self.series.push(Series { name: key.1.clone(), labels: key.2.clone(), at: sample.at });
        self.numbers.insert(key, number);
        Some(number)
    }

    /// Lets the samples be grouped and puts names and labels back.
    fn group(self) -> Grouped {
        let types = ["# TYPE h histogram", "# TYPE s summary"].map(str::to_owned);
        let lines = types.into_iter().chain(self.lines).map(io::Result::Ok);
        let samples = Scrape::parse(lines).map(|scrape| scrape.samples).unwrap_or_default();
        let mut histograms = BTreeMap::new();
        let mut summaries = BTreeMap::new();
        for ((token, ..), number) in self.numbers {
            let series = self.series.get(number).cloned().unwrap_or_default();
            if token == 'h' {
                histograms.insert(number, Histogram { series, ..Histogram::default() });
            } else {
                summaries.insert(number, Summary { series, ..Summary::default() });
            }
        }
        for sample in samples {
            let number = sample.labels.get("n").and_then(|number| number.parse().ok()).unwrap_or(usize::MAX);
            if let Some(histogram) = histograms.get_mut(&number) {
                histogram.put(&sample.metric, sample.value);
            } else if let Some(summary) = summaries.get_mut(&number) {
                summary.put(&sample.metric, sample.value);
            }
        }
        Grouped {
            histograms: histograms.into_values().collect(),
            summaries: summaries.into_values().collect(),
            counts: self.counts,
        }
    }
}

impl Histogram {
    fn put(&mut self, token: &str, value: Value) {
        match (token, value) {
            (_, Value::Histogram(buckets)) => {
                let bucket = |bucket: &prometheus_parse::HistogramCount| Bucket {
                    less_or_equal: bucket.less_than,
                    count: bucket.count,
                };
                self.buckets = buckets.iter().map(bucket).collect();
                self.buckets.sort_by(|a, b| a.less_or_equal.total_cmp(&b.less_or_equal));
            }
            ("h_sum", Value::Untyped(sum)) => self.sum = Some(sum),
            ("h_count", Value::Untyped(count)) => self.count = Some(count),
            _ => {}
        }
    }
}

impl Summary {
    fn put(&mut self, token: &str, value: Value) {
        match (token, value) {
            (_, Value::Summary(quantiles)) => {
                let quantile = |quantile: &prometheus_parse::SummaryCount| Quantile {
                    quantile: quantile.quantile,
                    value: quantile.count,
                };
                self.quantiles = quantiles.iter().map(quantile).collect();
                self.quantiles.sort_by(|a, b| a.quantile.total_cmp(&b.quantile));
            }
            ("s_sum", Value::Untyped(sum)) => self.sum = Some(sum),
            ("s_count", Value::Untyped(count)) => self.count = Some(count),
            _ => {}
        }
    }
}

impl Part {
    const fn of(kind: SampleKind) -> Option<Self> {
        let (token, suffix, bound) = match kind {
            SampleKind::HistogramBucket => ('h', "_bucket", Some("le")),
            SampleKind::HistogramSum => ('h', "_sum", None),
            SampleKind::HistogramCount => ('h', "_count", None),
            SampleKind::SummaryQuantile => ('s', "", Some("quantile")),
            SampleKind::SummarySum => ('s', "_sum", None),
            SampleKind::SummaryCount => ('s', "_count", None),
            SampleKind::Counter | SampleKind::Gauge | SampleKind::Untyped => return None,
        };
        Some(Self { token, suffix, bound })
    }
}
