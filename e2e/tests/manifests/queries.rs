//! Rules and dashboard on a real Prometheus: every query is read, has only labels that its metrics have, and finds something;
//! every alert is silent about a healthy cluster and sees the trouble that it is for.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use anyhow::{Context, Result};
use kube_sci_e2e::prometheus::{Job, Prometheus, PrometheusOptions, Rule, Series, Target};
use kube_sci_e2e::wait::eventually;
use serde_json::{Value, json};
use wiremock::matchers::path;
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::{items, read, read_yaml, text};

const DEADLINE: Duration = Duration::from_mins(1);
const INTERVAL: Duration = Duration::from_millis(500);
/// As the extender serves its page.
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// What is shipped to watch a program by.
struct Watched {
    /// Generated page of its metrics.
    reference: &'static str,
    rules: &'static [&'static str],
    dashboard: &'static str,
    /// Page of a program where all is well, and of one where everything is wrong that an alert is for.
    pages: [&'static str; 2],
    /// A recorded series, with its value in the first case and in the second.
    recorded: (&'static str, [f64; 2]),
}

const EXTENDER: Watched = Watched {
    reference: "docs/reference/metrics.md",
    rules: &["manifests/components/prometheus-rules/rules.yaml", "manifests/components/prometheus-rules/energy.yaml"],
    dashboard: "manifests/components/grafana-dashboard/extender.json",
    pages: [include_str!("pages/healthy.txt"), include_str!("pages/troubled.txt")],
    recorded: ("cluster:kube_sci_node_power_watts:metered_ratio", [0.5, 0.0]),
};

const ADAPTER: Watched = Watched {
    reference: "docs/reference/adapter-metrics.md",
    rules: &["manifests/components/adapter-prometheus-rules/rules.yaml"],
    dashboard: "manifests/components/adapter-grafana-dashboard/adapter.json",
    pages: [include_str!("pages/adapter-healthy.txt"), include_str!("pages/adapter-troubled.txt")],
    recorded: ("cluster:kube_sci_policy_saved_grams_per_hour:sum", [12.5, 3.0]),
};

impl Watched {
    /// Names of samples with the labels they may have, by the generated reference page.
    fn catalog(&self) -> Result<BTreeMap<String, BTreeSet<String>>> {
        let page = read(self.reference)?;
        let mut known = BTreeMap::new();
        for line in page.lines().filter(|line| line.starts_with("| `")) {
            let cells: Vec<&str> = line.split(" | ").collect();
            let [name, kind, _, labels, ..] = cells.as_slice() else { anyhow::bail!("{line}") };
            let name = name.trim_start_matches("| ").trim_matches('`');
            let labels: BTreeSet<String> = labels
                .split(", ")
                .map(|label| label.trim_matches(['`', ' ']).to_owned())
                .filter(|l| !l.is_empty())
                .collect();
            if *kind == "histogram" {
                let bucket = labels.iter().cloned().chain(["le".to_owned()]).collect();
                known.insert(format!("{name}_bucket"), bucket);
            }
            known.insert(name.to_owned(), labels);
        }
        Ok(known)
    }

    /// Where an expression stands, and the expression.
    fn expressions(&self) -> Result<Vec<(String, String)>> {
        let mut found = Vec::new();
        for file in self.rules {
            let rules = read_yaml(file)?;
            for rule in items(&rules, "/spec/groups").iter().flat_map(|group| items(group, "/rules")) {
                let name = [text(rule, "/alert"), text(rule, "/record")].concat();
                found.push((name, text(rule, "/expr").to_owned()));
            }
        }
        found.extend(self.panels()?);
        Ok(found)
    }

    /// Title and expression of every panel, for all that its variables can be.
    fn panels(&self) -> Result<Vec<(String, String)>> {
        let dashboard: Value = serde_json::from_str(&read(self.dashboard)?)?;
        let variables = items(&dashboard, "/templating/list").iter().map(|variable| text(variable, "/name"));
        let variables: Vec<String> = variables.map(|name| format!("${name}")).collect();
        let targets = items(&dashboard, "/panels").iter().flat_map(|panel| {
            let title = text(panel, "/title").to_owned();
            items(panel, "/targets").iter().map(move |target| (title.clone(), text(target, "/expr").to_owned()))
        });
        let filled = targets.map(|(title, expression)| {
            (title, variables.iter().fold(expression, |filled, name| filled.replace(name, ".+")))
        });
        Ok(filled.collect())
    }

    /// The rule files as Prometheus takes them; the operator's own fields are around that. Groups are evaluated every
    /// second.
    fn rule_files(&self) -> Result<Vec<Value>> {
        let files = self.rules.iter().map(|file| {
            let mut groups = read_yaml(file)?.pointer_mut("/spec/groups").context("groups")?.take();
            for group in groups.as_array_mut().context("groups")? {
                group.as_object_mut().context("a group")?.remove("interval");
            }
            Ok(json!({ "groups": groups }))
        });
        files.collect()
    }

    /// Every expression is read, and names only what is there.
    async fn queries_are_sound(&self) -> Result<()> {
        let prometheus = Prometheus::start(PrometheusOptions::default()).await?;
        let catalog = self.catalog()?;
        let expressions = self.expressions()?;
        assert!(expressions.len() > 25, "{}", expressions.len());
        for (place, expression) in &expressions {
            let tree = parsed(&prometheus, expression).await.with_context(|| place.clone())?;
            let names = check(&tree, &catalog).map_err(|problem| anyhow::anyhow!("{place}: {problem}"))?;
            assert!(!names.is_empty(), "{place}");
        }
        let tree = parsed(&prometheus, "sum by (zone) (kube_sci_snapshot_synced)").await?;
        let problem = check(&tree, &catalog).err().context("a label that the metric does not have")?;
        assert!(problem.starts_with("zone is no label"), "{problem}");
        Ok(())
    }

    fn pages_could_be_served(&self) -> Result<()> {
        let catalog = self.catalog()?;
        for line in self.pages.iter().flat_map(|page| page.lines()).filter(|line| !line.starts_with('#')) {
            let (name, rest) = line.split_once(['{', ' ']).context("a sample")?;
            let known = catalog.get(name).with_context(|| format!("no metric is called {name}"))?;
            let labels = rest.split_once("} ").map_or("", |(labels, _)| labels);
            let labels: BTreeSet<String> =
                labels.split(',').filter_map(|label| Some(label.split_once('=')?.0.to_owned())).collect();
            assert_eq!(&labels, known, "{line}");
        }
        Ok(())
    }

    async fn alerts_see_trouble_only(&self) -> Result<()> {
        let [healthy, troubled] = self.pages;
        let (recorded, [when_healthy, when_troubled]) = self.recorded;
        let is = |wanted| move |series: &[Series]| series.iter().any(|series| series.value() == Some(wanted));
        let pages = MockServer::start().await;
        serve(&pages, healthy).await;
        let job = Job::new("program", [Target::new(pages.address())]).interval(INTERVAL).honor_labels();
        let options =
            self.rule_files()?.into_iter().fold(PrometheusOptions::default().job(job), PrometheusOptions::rules);
        let prometheus = Prometheus::start(options).await?;
        prometheus.wait_for(recorded, is(when_healthy)).await?;
        wait_for_alerts(&prometheus, true).await?;

        serve(&pages, troubled).await;
        let rules = wait_for_alerts(&prometheus, false).await?;
        let unwell: Vec<&Rule> = rules.iter().filter(|rule| rule.health != "ok").collect();
        assert!(unwell.is_empty(), "{unwell:?}");
        prometheus.wait_for(recorded, is(when_troubled)).await?;
        for (panel, expression) in self.panels()? {
            let found = prometheus.query(&expression).await.with_context(|| panel.clone())?;
            assert!(!found.is_empty(), "{panel}: {expression} finds nothing");
        }
        Ok(())
    }
}

/// The syntax tree of an expression, by Prometheus itself.
async fn parsed(prometheus: &Prometheus, expression: &str) -> Result<Value> {
    let http = reqwest::Client::builder().no_proxy().build()?;
    let url = format!("{}/api/v1/parse_query", prometheus.url());
    let answer = http.get(url).query(&[("query", expression)]).send().await?;
    let mut answer: Value = serde_json::from_str(&answer.text().await?)?;
    anyhow::ensure!(text(&answer, "/status") == "success", "{expression}: {answer}");
    Ok(answer.pointer_mut("/data").context("data")?.take())
}

/// Every label that an expression names must be one of the metrics it is about. Returns the metrics' names.
fn check(tree: &Value, catalog: &BTreeMap<String, BTreeSet<String>>) -> Result<BTreeSet<String>, String> {
    let mut names = BTreeSet::new();
    match tree {
        Value::Array(parts) => {
            parts.iter().try_for_each(|part| check(part, catalog).map(|found| names.extend(found)))?;
        }
        Value::Object(fields) => {
            for part in fields.values() {
                names.extend(check(part, catalog)?);
            }
            if ["vectorSelector", "matrixSelector"].contains(&text(tree, "/type")) {
                names.insert(text(tree, "/name").to_owned());
            }
        }
        _ => {}
    }
    // Prometheus itself adds the job to whatever it scrapes.
    let mut labels: BTreeSet<&str> = BTreeSet::from(["__name__", "job"]);
    for name in &names {
        let known = catalog.get(name).ok_or_else(|| format!("no metric is called {name}"))?;
        labels.extend(known.iter().map(String::as_str));
    }
    let matchers = items(tree, "/matchers").iter().map(|matcher| text(matcher, "/name"));
    let listed = ["/grouping", "/matching/labels"].into_iter().flat_map(|list| items(tree, list));
    let mut used = matchers.chain(listed.filter_map(Value::as_str));
    match used.find(|label| !labels.contains(label)) {
        Some(label) => Err(format!("{label} is no label of {names:?}")),
        None => Ok(names),
    }
}

/// Serves a page in place of the one before.
async fn serve(server: &MockServer, page: &str) {
    server.reset().await;
    let answer = ResponseTemplate::new(200).set_body_raw(page, OPEN_METRICS);
    Mock::given(path("/metrics")).respond_with(answer).mount(server).await;
}

fn alerts(rules: &[Rule]) -> impl Iterator<Item = &Rule> {
    rules.iter().filter(|rule| rule.kind == "alerting")
}

/// Waits until every rule was evaluated and every alert is as wanted.
async fn wait_for_alerts(prometheus: &Prometheus, inactive: bool) -> Result<Vec<Rule>> {
    let what = if inactive { "silent alerts" } else { "alerts that saw the trouble" };
    let rules = eventually(DEADLINE, what, async || {
        let rules = prometheus.rules().await.map_err(|error| error.to_string())?;
        let unlike = |rule: &&Rule| rule.health == "unknown" || (rule.state == "inactive") != inactive;
        let other: Vec<&str> = alerts(&rules).filter(unlike).map(|rule| rule.name.as_str()).collect();
        if other.is_empty() { Ok(rules.clone()) } else { Err(format!("{other:?}")) }
    });
    Ok(rules.await?)
}

#[tokio::test]
async fn queries_about_the_extender_name_only_labels_that_their_metrics_have() -> Result<()> {
    EXTENDER.queries_are_sound().await
}

#[tokio::test]
async fn queries_about_policies_name_only_labels_that_their_metrics_have() -> Result<()> {
    ADAPTER.queries_are_sound().await
}

#[test]
fn the_pages_of_the_tests_are_such_as_the_programs_could_serve() -> Result<()> {
    EXTENDER.pages_could_be_served()?;
    ADAPTER.pages_could_be_served()
}

#[tokio::test]
async fn alerts_are_silent_about_a_healthy_cluster_and_see_the_trouble_they_are_for() -> Result<()> {
    EXTENDER.alerts_see_trouble_only().await
}

#[tokio::test]
async fn alerts_are_silent_about_healthy_policies_and_see_the_trouble_they_are_for() -> Result<()> {
    ADAPTER.alerts_see_trouble_only().await
}
