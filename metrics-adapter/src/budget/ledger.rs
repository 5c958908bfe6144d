//! Grams of namespaces that have a budget, month by month.

use std::{collections::BTreeMap, ptr, sync::Arc};

use jiff::{Timestamp, tz::TimeZone};
use kube::core::ObjectMeta;
use kube_sci_cluster::{
    energy::{Account, Accounts},
    objects::WorkloadKey,
    snapshot::Snapshot,
    watch::Step,
};
use rustc_hash::FxHashMap;
use sci_core::{
    quantity::{GramsCo2e, Share},
    scaling::{
        GreenFactor, Tightening,
        budget::{BudgetUse, Outlook, elapsed_share},
    },
};

use super::{BudgetState, CarbonBudget, CarbonBudgetSpec, CarbonBudgetStatus};
use crate::{policy::CriticalitySpec, table::PolicyKey};

/// All budgets.
#[derive(Debug, Default)]
pub struct Budgets {
    by_key: BTreeMap<PolicyKey, Entry>,
    /// What the pods of every namespace with a budget have caused since this process began.
    counted: FxHashMap<Arc<str>, f64>,
    /// By workload, as of the accounts that were looked at last.
    workloads: FxHashMap<WorkloadKey, f64>,
    /// Kept so that the address of its accounts is nobody else's.
    snapshot: Option<Arc<Snapshot>>,
}

#[derive(Debug)]
struct Entry {
    uid: Arc<str>,
    generation: i64,
    spec: Result<Arc<CarbonBudgetSpec>, Arc<str>>,
    month: Arc<str>,
    /// Spent in the month before this process took over, and what the namespace had caused then.
    base: f64,
    counted_at_base: f64,
    /// Since when in the month somebody has counted.
    watched_since: Option<Timestamp>,
    tightening: Tightening,
    outlook: Option<Outlook>,
    stored: Arc<CarbonBudgetStatus>,
    leading: bool,
    seen: bool,
    counted_until: Option<Timestamp>,
}

impl Budgets {
    /// One step of the watch.
    pub fn apply(&mut self, step: Step<CarbonBudget>, now: Timestamp) {
        match step {
            Step::Begin => self.by_key.values_mut().for_each(|entry| entry.seen = false),
            Step::Listed(budget) | Step::Applied(budget) => {
                let spec = checked(budget.spec);
                self.put(&budget.metadata, spec, budget.status.unwrap_or_default(), now);
            }
            Step::Malformed(unreadable) => {
                let problem = Err(unreadable.problem.as_str().into());
                self.put(&unreadable.metadata, problem, CarbonBudgetStatus::default(), now);
            }
            Step::Deleted(metadata) => {
                if let Some(key) = key(&metadata) {
                    self.by_key.remove(&key);
                }
            }
            Step::End => self.by_key.retain(|_, entry| entry.seen),
        }
    }

    /// Counts what pods have caused since the last time, and looks where the month is heading.
    pub fn tick(&mut self, snapshot: &Arc<Snapshot>, leading: bool, now: Timestamp) {
        self.count(snapshot);
        let month = month(now);
        for (key, entry) in &mut self.by_key {
            let counted = self.counted.get(&key.namespace).copied().unwrap_or(0.0);
            entry.tick(counted, leading, &month, now);
        }
    }

    /// What the budget of a namespace asks for, and its name. Of several the first by name counts.
    pub fn tightening(&self, namespace: &str) -> Option<(Arc<str>, Tightening)> {
        let (key, entry) = self.in_force(namespace)?;
        Some((Arc::clone(&key.name), entry.tightening))
    }

    /// Every budget as readers see it.
    pub fn states(&self) -> Vec<Arc<BudgetState>> {
        let state = |(key, entry): (&PolicyKey, &Entry)| {
            let in_force = self.in_force(&key.namespace).map(|(in_force, _)| in_force);
            let counted = self.counted.get(&key.namespace).copied().unwrap_or(0.0);
            Arc::new(BudgetState {
                key: key.clone(),
                uid: Arc::clone(&entry.uid),
                generation: entry.generation,
                spec: entry.spec.clone(),
                month: Arc::clone(&entry.month),
                spent: GramsCo2e::clamped(entry.spent(counted)),
                watched_since: entry.watched_since,
                counted_until: entry.counted_until,
                outlook: entry.outlook,
                overruled_by: in_force.filter(|in_force| *in_force != key).map(|other| Arc::clone(&other.name)),
                stored: Arc::clone(&entry.stored),
            })
        };
        self.by_key.iter().map(state).collect()
    }

    fn in_force(&self, namespace: &str) -> Option<(&PolicyKey, &Entry)> {
        let first = PolicyKey::new(namespace, "");
        let rest = self.by_key.range(first..).take_while(|(key, _)| *key.namespace == *namespace);
        rest.into_iter().find(|(_, entry)| entry.spec.is_ok())
    }

    fn put(
        &mut self,
        metadata: &ObjectMeta,
        spec: Result<Arc<CarbonBudgetSpec>, Arc<str>>,
        status: CarbonBudgetStatus,
        now: Timestamp,
    ) {
        let Some(key) = key(metadata) else { return };
        let uid = metadata.uid.as_deref().unwrap_or_default();
        let counted = self.counted.entry(Arc::clone(&key.namespace)).or_insert(0.0);
        let generation = metadata.generation.unwrap_or(0);
        let known = self.by_key.get_mut(&key).filter(|known| *known.uid == *uid);
        let Some(entry) = known else {
            let entry = Entry::new(uid, generation, spec, status, *counted, now);
            self.by_key.insert(key, entry);
            return;
        };
        (entry.seen, entry.generation, entry.spec) = (true, generation, spec);
        // The holder of the Lease knows better than what it wrote a while ago.
        if !entry.leading {
            entry.adopt(&status, *counted, &month(now));
        }
        entry.stored = Arc::new(status);
    }

    /// Adds what accounts have grown by to their namespaces. An account that was closed and opened again begins at
    /// zero.
    fn count(&mut self, snapshot: &Arc<Snapshot>) {
        let known = self.snapshot.as_ref().map(|known| known.accounts());
        if self.counted.is_empty() || known.is_some_and(|known| ptr::eq::<Accounts>(known, snapshot.accounts())) {
            return;
        }
        let first = self.snapshot.is_none();
        let mut workloads = FxHashMap::default();
        for account in snapshot.accounts().workloads() {
            let Some(counted) = self.counted.get_mut(&account.workload.namespace) else { continue };
            let (key, grams) = (account.workload.key(), grams(&account.account));
            // What was caused before anybody had a budget here belongs to no budget.
            let before = if first { grams } else { self.workloads.get(&key).copied().unwrap_or(0.0) };
            *counted += if grams >= before { grams - before } else { grams };
            workloads.insert(key, grams);
        }
        self.workloads = workloads;
        self.snapshot = Some(Arc::clone(snapshot));
    }
}

impl Entry {
    fn new(
        uid: &str,
        generation: i64,
        spec: Result<Arc<CarbonBudgetSpec>, Arc<str>>,
        status: CarbonBudgetStatus,
        counted: f64,
        now: Timestamp,
    ) -> Self {
        let month = month(now);
        let mut entry = Self {
            uid: uid.into(),
            generation,
            spec,
            month: Arc::clone(&month),
            base: 0.0,
            counted_at_base: counted,
            watched_since: None,
            tightening: tightening(&status),
            outlook: None,
            stored: Arc::default(),
            leading: false,
            seen: true,
            counted_until: None,
        };
        entry.adopt(&status, counted, &month);
        entry.stored = Arc::new(status);
        entry
    }

    /// Goes on from what another process wrote.
    fn adopt(&mut self, status: &CarbonBudgetStatus, counted: f64, month: &Arc<str>) {
        if status.month.as_deref() != Some(&**month) {
            return;
        }
        let Some(spent) = status.spent_grams.filter(|spent| spent.is_finite() && *spent >= 0.0) else { return };
        (self.base, self.counted_at_base, self.month) = (spent, counted, Arc::clone(month));
        self.watched_since = status.watched_since.as_ref().map(|time| time.0);
        self.tightening = tightening(status);
    }

    fn spent(&self, counted: f64) -> f64 {
        self.base + (counted - self.counted_at_base).max(0.0)
    }

    fn tick(&mut self, counted: f64, leading: bool, month: &Arc<str>, now: Timestamp) {
        self.leading = leading;
        if self.month != *month {
            (self.base, self.counted_at_base, self.month) = (0.0, counted, Arc::clone(month));
            (self.watched_since, self.tightening) = (None, Tightening::NONE);
        }
        let since = *self.watched_since.get_or_insert(now);
        self.counted_until = Some(now);
        let Ok(spec) = &self.spec else {
            (self.outlook, self.tightening) = (None, Tightening::NONE);
            return;
        };
        let usage = BudgetUse {
            spent: GramsCo2e::clamped(self.spent(counted)),
            budget: GramsCo2e::clamped(spec.grams_per_month),
            elapsed: watched_share(since, now),
            starts_throttling_at: Share::clamped(spec.starts_throttling_at),
        };
        let outlook = usage.outlook_after(&self.tightening);
        self.tightening = outlook.tightening;
        self.outlook = Some(outlook);
    }
}

/// The share of the month that makes `spent / share` what will have been spent at its end, if what is left of the
/// month goes on like the part that was watched:
///
/// ```text
/// spent + spent / watched * (1 - elapsed) = spent / share
/// ```
fn watched_share(since: Timestamp, now: Timestamp) -> Share {
    let elapsed = elapsed_share(now, &TimeZone::UTC).get();
    let before = if month(since) == month(now) { elapsed_share(since, &TimeZone::UTC).get() } else { 0.0 };
    let watched = (elapsed - before).max(0.0);
    Share::clamped(watched / (watched + 1.0 - elapsed))
}

fn checked(spec: CarbonBudgetSpec) -> Result<Arc<CarbonBudgetSpec>, Arc<str>> {
    if !(spec.grams_per_month > 0.0 && spec.grams_per_month.is_finite()) {
        return Err("gramsPerMonth: make it more than 0".into());
    }
    if !(spec.starts_throttling_at > 0.0 && spec.starts_throttling_at < 1.0) {
        return Err("startsThrottlingAt: make it more than 0 and less than 1".into());
    }
    Ok(Arc::new(spec))
}

/// What was decided before, from the status.
fn tightening(status: &CarbonBudgetStatus) -> Tightening {
    let factor = |class| {
        let known = status.factors.iter().find(|factor| factor.criticality == class);
        known.and_then(|known| GreenFactor::new(known.factor).ok()).unwrap_or_default()
    };
    Tightening {
        best_effort: factor(CriticalitySpec::BestEffort),
        standard: factor(CriticalitySpec::Standard),
        critical: factor(CriticalitySpec::Critical),
    }
}

fn grams(account: &Account) -> f64 {
    let of = |tally: &kube_sci_cluster::energy::Tally| tally.operational.get() + tally.embodied.get();
    of(&account.measured) + of(&account.modelled)
}

/// The calendar month in UTC, as `2026-01`.
fn month(now: Timestamp) -> Arc<str> {
    let date = TimeZone::UTC.to_datetime(now).date();
    format!("{:04}-{:02}", date.year(), date.month()).into()
}

fn key(metadata: &ObjectMeta) -> Option<PolicyKey> {
    Some(PolicyKey::new(metadata.namespace.as_deref()?, metadata.name.as_deref()?))
}

#[cfg(test)]
mod tests;
