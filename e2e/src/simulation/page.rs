//! Pages of text as exporters write them.

/// What an exporter answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// Header `Content-Type`, where the exporter sends one.
    pub content_type: Option<&'static str>,
    pub body: String,
}

/// Text of Go's Prometheus client without negotiation.
pub(super) const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";
/// Text of the OpenMetrics format.
pub(super) const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Labels in their written form, without braces.
pub(super) fn labels(pairs: &[(&str, &str)]) -> String {
    let mut text = String::with_capacity(pairs.len() * 32);
    for (key, value) in pairs {
        if !text.is_empty() {
            text.push(',');
        }
        text.push_str(key);
        text.push_str("=\"");
        for letter in value.chars() {
            match letter {
                '\\' => text.push_str("\\\\"),
                '"' => text.push_str("\\\""),
                '\n' => text.push_str("\\n"),
                other => text.push(other),
            }
        }
        text.push('"');
    }
    text
}

/// HELP and TYPE.
pub(super) fn family(text: &mut String, name: &str, help: &str, kind: &str) {
    text.extend(["# HELP ", name, " ", help, "\n# TYPE ", name, " ", kind, "\n"]);
}

/// One sample; no braces where there are no labels.
pub(super) fn sample(text: &mut String, name: &str, labels: &str, value: &str) {
    text.push_str(name);
    if !labels.is_empty() {
        text.push('{');
        text.push_str(labels);
        text.push('}');
    }
    text.push(' ');
    text.push_str(value);
    text.push('\n');
}

/// A number as Go's `strconv` writes it with format `g` and the shortest precision.
pub(super) fn go_number(value: f64) -> String {
    if value.is_nan() {
        return "NaN".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "+Inf" } else { "-Inf" }.to_owned();
    }
    let shortest = format!("{value:e}");
    let (mantissa, exponent) = shortest.split_once('e').unwrap_or((&shortest, "0"));
    let exponent: i32 = exponent.parse().unwrap_or_default();
    if (-4..6).contains(&exponent) {
        return format!("{value}");
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{mantissa}e{sign}{:02}", exponent.unsigned_abs())
}

/// The page as Prometheus stores it: labels of the target win, an exporter's own label of the same name gets the prefix
/// `exported_`.
#[must_use]
pub fn with_target_labels(page: &Page, target: &[(&str, &str)]) -> Page {
    let body = map_samples(&page.body, |name, own, value| {
        let mut pairs: Vec<(String, String)> =
            target.iter().map(|&(key, value)| (key.to_owned(), format!("\"{value}\""))).collect();
        for (key, value) in split_labels(own) {
            let taken = target.iter().any(|&(target, _)| target == key);
            pairs.push((if taken { format!("exported_{key}") } else { key.to_owned() }, value.to_owned()));
        }
        pairs.sort();
        let written: Vec<String> = pairs.iter().map(|(key, value)| format!("{key}={value}")).collect();
        format!("{name}{{{}}} {value}", written.join(","))
    });
    Page { content_type: page.content_type, body }
}

/// The page with other values of energy and power.
pub(super) fn with_energy_values(page: &Page, change: impl Fn(f64) -> f64) -> Page {
    let body = map_samples(&page.body, |name, labels, value| {
        let speaks_of_energy = ["joules", "watts", "energy"].iter().any(|word| name.contains(word));
        let value = match value.parse::<f64>() {
            Ok(number) if speaks_of_energy => go_number(change(number)),
            _ => value.to_owned(),
        };
        if labels.is_empty() { format!("{name} {value}") } else { format!("{name}{{{labels}}} {value}") }
    });
    Page { content_type: page.content_type, body }
}

/// Rewrites every sample line, given as name, labels without braces, and value.
fn map_samples(body: &str, line_of: impl Fn(&str, &str, &str) -> String) -> String {
    let mut text = String::with_capacity(body.len());
    for line in body.lines() {
        let parts = if line.starts_with('#') { None } else { split_sample(line) };
        match parts {
            Some((name, labels, value)) => text.push_str(&line_of(name, labels, value)),
            None => text.push_str(line),
        }
        text.push('\n');
    }
    text
}

fn split_sample(line: &str) -> Option<(&str, &str, &str)> {
    match line.rsplit_once("} ") {
        Some((head, value)) => head.split_once('{').map(|(name, labels)| (name, labels, value)),
        None => line.split_once(' ').map(|(name, value)| (name, "", value)),
    }
}

/// Keys, and values with their quotes.
fn split_labels(labels: &str) -> Vec<(&str, &str)> {
    let mut pairs = Vec::new();
    let mut rest = labels;
    while let Some((key, value)) = rest.split_once("=\"") {
        let mut escaped = false;
        let end = value.find(|letter| {
            let ends = letter == '"' && !escaped;
            escaped = letter == '\\' && !escaped;
            ends
        });
        let Some(end) = end else { break };
        // The value with its opening and closing quote.
        let (start, stop) = (key.len() + 1, key.len() + end + 3);
        pairs.push((key.trim_start_matches(','), rest.get(start..stop).unwrap_or_default()));
        rest = rest.get(stop..).unwrap_or_default();
    }
    pairs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_look_as_go_writes_them() {
        for (value, text) in [
            (0.0, "0"),
            (402_000.0, "402000"),
            (1_000_000.0, "1e+06"),
            (28_577.5, "28577.5"),
            (1_234_567.0, "1.234567e+06"),
            (12_345_678.5, "1.23456785e+07"),
            (1.400_000_000_000_000_1, "1.4000000000000001"),
            (8.578_083_895_473_527e-5, "8.578083895473527e-05"),
            (0.000_882_696_757_878_719_9, "0.0008826967578787199"),
            (9.223_372_037_599_701e14, "9.223372037599701e+14"),
            (f64::NAN, "NaN"),
        ] {
            assert_eq!(go_number(value), text);
        }
    }

    #[test]
    fn labels_of_the_target_win_over_the_exporters() {
        let page = Page {
            content_type: None,
            body: "# TYPE a gauge\na{namespace=\"shop\",text=\"x\\\"}, y\"} 1.5\nb 2\n# EOF\n".to_owned(),
        };
        let stored = with_target_labels(&page, &[("namespace", "monitoring"), ("job", "agents")]);
        assert_eq!(
            stored.body,
            "# TYPE a gauge\n\
             a{exported_namespace=\"shop\",job=\"agents\",namespace=\"monitoring\",text=\"x\\\"}, y\"} 1.5\n\
             b{job=\"agents\",namespace=\"monitoring\"} 2\n# EOF\n"
        );
    }

    #[test]
    fn only_energy_is_lied_about() {
        let body = "x_joules_total{a=\"1\"} 3\nx_ratio 0.5\n".to_owned();
        let lied = with_energy_values(&Page { content_type: None, body }, |value| value * 2.0);
        assert_eq!(lied.body, "x_joules_total{a=\"1\"} 6\nx_ratio 0.5\n");
    }
}
