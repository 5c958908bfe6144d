//! Reads back the page of [`super::MetricsRegistry::encode`]. It knows what our encoder writes, not every exposition.

/// One line of the page that has a value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Sample<'a> {
    /// Name with unit and suffix.
    pub name: &'a str,
    /// Keys and values as they were recorded, in the order of the page.
    pub labels: Vec<(&'a str, String)>,
    /// May be infinite or no number.
    pub value: f64,
}

/// The samples of a page in its order. Comments, and lines that are no samples, are passed over.
pub(crate) fn samples(page: &str) -> impl Iterator<Item = Sample<'_>> {
    page.lines().filter_map(Sample::parse)
}

impl<'a> Sample<'a> {
    fn parse(line: &'a str) -> Option<Self> {
        if line.starts_with('#') {
            return None;
        }
        let (name, rest) = line.split_at(line.find(['{', ' '])?);
        let (labels, rest) = match rest.strip_prefix('{') {
            Some(rest) => labels(rest)?,
            None => (Vec::new(), rest),
        };
        // An exemplar may follow the value.
        let value = rest.split_ascii_whitespace().next()?.parse().ok()?;
        Some(Self { name, labels, value })
    }
}

/// Labels up to the closing brace, and what follows it.
fn labels(mut text: &str) -> Option<(Vec<(&str, String)>, &str)> {
    let mut labels = Vec::new();
    loop {
        if let Some(rest) = text.strip_prefix('}') {
            return Some((labels, rest));
        }
        let (key, rest) = text.strip_prefix(',').unwrap_or(text).split_once("=\"")?;
        let (value, rest) = unescaped(rest)?;
        labels.push((key, value));
        text = rest;
    }
}

/// A label value up to its closing quote, and what follows it.
fn unescaped(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut characters = text.chars();
    loop {
        match characters.next()? {
            '"' => return Some((value, characters.as_str())),
            '\\' => match characters.next()? {
                'n' => value.push('\n'),
                escaped => value.push(escaped),
            },
            plain => value.push(plain),
        }
    }
}

#[cfg(test)]
mod tests {
    use prometheus_client::metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram};

    use super::{
        super::{MetricsRegistry, Spec},
        *,
    };

    fn spec(name: &'static str) -> Spec {
        Spec { name, unit: None, labels: &[], help: "A figure" }
    }

    /// The page of one metric, without those that every registry has.
    fn page_of(metric: impl prometheus_client::registry::Metric) -> String {
        let registry = MetricsRegistry::new("test", "1.2.3");
        registry.register(spec("t_figure"), metric);
        let page = registry.encode().unwrap();
        page.lines().filter(|line| line.contains("t_figure") || *line == "# EOF").collect::<Vec<_>>().join("\n")
    }

    fn sample<'a>(name: &'a str, labels: &[(&'a str, &str)], value: f64) -> Sample<'a> {
        Sample { name, labels: labels.iter().map(|(key, value)| (*key, (*value).to_owned())).collect(), value }
    }

    #[test]
    fn a_sample_without_labels_is_its_name_and_value_and_comments_are_none() {
        let gauge = Gauge::<i64>::default();
        gauge.set(-7);
        let page = page_of(gauge);
        assert!(page.starts_with("# HELP") && page.ends_with("# EOF"), "{page}");
        assert_eq!(samples(&page).collect::<Vec<_>>(), [sample("t_figure", &[], -7.0)]);
    }

    #[test]
    fn label_values_come_back_as_they_were_recorded() {
        for value in ["", "a,b", "=\"", "}", "{} 1", "back\\slash", "quo\"ted", "two\nlines", "\\n", "é\\", " # "] {
            let family = Family::<Vec<(&str, &str)>, Counter>::default();
            family.get_or_create(&vec![("first", value), ("second", value)]).inc_by(3);
            let page = page_of(family);
            let expected = sample("t_figure_total", &[("first", value), ("second", value)], 3.0);
            assert_eq!(samples(&page).collect::<Vec<_>>(), [expected], "{page}");
        }
    }

    #[test]
    fn values_that_are_no_finite_numbers_are_read() {
        for (value, infinite) in [(f64::INFINITY, true), (f64::NEG_INFINITY, true), (f64::NAN, false)] {
            let gauge = Gauge::<f64, std::sync::atomic::AtomicU64>::default();
            gauge.set(value);
            let page = page_of(gauge);
            let read = samples(&page).next().unwrap().value;
            assert!(if infinite { read.total_cmp(&value).is_eq() } else { read.is_nan() }, "{page}");
        }
    }

    #[test]
    fn a_histogram_is_its_sum_its_count_and_its_buckets() {
        let histogram = Histogram::new([0.5]);
        histogram.observe(0.25);
        histogram.observe(2.0);
        let page = page_of(histogram);
        let expected = [
            sample("t_figure_sum", &[], 2.25),
            sample("t_figure_count", &[], 2.0),
            sample("t_figure_bucket", &[("le", "0.5")], 1.0),
            sample("t_figure_bucket", &[("le", "+Inf")], 2.0),
        ];
        assert_eq!(samples(&page).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn an_exemplar_is_passed_over() {
        let page = "t_total{a=\"b\"} 3 # {trace=\"c\"} 0.5";
        assert_eq!(samples(page).collect::<Vec<_>>(), [sample("t_total", &[("a", "b")], 3.0)]);
    }

    #[test]
    fn a_line_cut_off_anywhere_is_no_sample_and_no_panic() {
        let line = "t_total{a=\"é\\\"\",b=\"c\"} 3";
        for (end, _) in line.char_indices() {
            assert_eq!(samples(&line[..end]).count(), 0, "{}", &line[..end]);
        }
        assert_eq!(samples(line).count(), 1);
    }
}
