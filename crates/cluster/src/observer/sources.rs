//! Asks every source of intensities and of energy at its own pace.

use std::time::Duration;

use futures::{
    FutureExt,
    future::{BoxFuture, join, join_all},
};
use jiff::Timestamp;
use kube_sci_signals::{
    energy::{EnergyAnswer, EnergySource},
    grid::{Answer, IntensitySource},
};
use tokio::time::{MissedTickBehavior, interval, timeout};
use tracing::{info, warn};

use super::{Context, Message, ObserverMetrics, PollOutcome, SourceKind};

const BEAT: Duration = Duration::from_secs(2);
/// A source that is silent for this long has failed this time.
const PATIENCE: Duration = Duration::from_secs(30);

/// A source of either kind, as the polling loop sees it.
pub(super) trait Asked: Send {
    const KIND: SourceKind;
    type Answer: Send;
    fn name(&self) -> &str;
    fn period(&self) -> Duration;
    /// `None` where nothing changed.
    fn ask(&mut self, now: Timestamp) -> BoxFuture<'_, Result<Option<Self::Answer>, String>>;
    fn report(&self, answer: &Self::Answer, metrics: &dyn ObserverMetrics);
    /// What the writer is told; `None` once, where the first question brought nothing.
    fn message(number: usize, asked: Result<Option<Self::Answer>, String>) -> Message;
}

/// Keeps asking until nobody listens.
pub(super) async fn run<S: Asked>(sources: Vec<S>, task: &'static str, context: Context) {
    let polls = sources.into_iter().enumerate().map(|(number, source)| poll_forever(number, source, &context));
    join(beat(task, &context), join_all(polls)).await;
}

async fn beat(task: &'static str, context: &Context) {
    let mut ticks = interval(BEAT);
    while !context.sender.is_closed() {
        ticks.tick().await;
        (context.heartbeat)(task);
    }
}

async fn poll_forever<S: Asked>(number: usize, mut source: S, context: &Context) {
    let mut ticks = interval(source.period().max(Duration::from_millis(100)));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut last_problem = None;
    let mut first = true;
    loop {
        ticks.tick().await;
        let asked = timeout(PATIENCE, source.ask((context.clock)())).await;
        let asked = asked.unwrap_or_else(|_| Err("answer within 30 seconds".to_owned()));
        let outcome = match &asked {
            Ok(Some(_)) => PollOutcome::Changed,
            Ok(None) => PollOutcome::Unchanged,
            Err(_) => PollOutcome::Failed,
        };
        context.metrics.source_polled(S::KIND, source.name(), outcome);
        let asked = match asked {
            Ok(None) if !first => continue,
            Ok(None) => Ok(None),
            Ok(Some(answer)) => {
                last_problem = None;
                source.report(&answer, &*context.metrics);
                Ok(Some(answer))
            }
            Err(problem) => {
                // The same problem every second is one problem.
                if last_problem.as_ref() != Some(&problem) {
                    warn!(source = source.name(), problem, "source has no answer, keeping what it said before");
                }
                last_problem = Some(problem.clone());
                Err(problem)
            }
        };
        first = false;
        if context.sender.send(S::message(number, asked)).await.is_err() {
            return;
        }
    }
}

impl Asked for Box<dyn IntensitySource> {
    const KIND: SourceKind = SourceKind::Grid;
    type Answer = Answer;

    fn name(&self) -> &str {
        (**self).name()
    }

    fn period(&self) -> Duration {
        (**self).period()
    }

    fn ask(&mut self, now: Timestamp) -> BoxFuture<'_, Result<Option<Answer>, String>> {
        self.poll(now).map(|asked| asked.map_err(|error| error.to_string())).boxed()
    }

    fn report(&self, answer: &Answer, metrics: &dyn ObserverMetrics) {
        let source = self.name();
        info!(source, series = answer.series.len(), "intensities read");
        if answer.refused_rows > 0 {
            metrics.rows_refused(source, answer.refused_rows);
            for problem in &answer.refused {
                warn!(source, line = problem.line, problem = %problem.problem, "row left out");
            }
        }
        for odd in &answer.flagged {
            warn!(source, line = odd.line, problem = %odd.problem, "row looks odd");
        }
        for problem in &answer.unanswered {
            warn!(source, problem, "question has no answer, keeping what was said before");
        }
    }

    fn message(number: usize, asked: Result<Option<Answer>, String>) -> Message {
        Message::Source(number, asked.ok().flatten())
    }
}

impl Asked for Box<dyn EnergySource> {
    const KIND: SourceKind = SourceKind::Energy;
    type Answer = EnergyAnswer;

    fn name(&self) -> &str {
        (**self).name()
    }

    fn period(&self) -> Duration {
        (**self).period()
    }

    fn ask(&mut self, now: Timestamp) -> BoxFuture<'_, Result<Option<EnergyAnswer>, String>> {
        self.poll(now).map(|asked| asked.map(Some).map_err(|error| error.to_string())).boxed()
    }

    fn report(&self, answer: &EnergyAnswer, metrics: &dyn ObserverMetrics) {
        metrics.energy_answered(self.name(), answer);
    }

    fn message(number: usize, asked: Result<Option<EnergyAnswer>, String>) -> Message {
        Message::Energy(number, asked.map(Option::unwrap_or_default))
    }
}
