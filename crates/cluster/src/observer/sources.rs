//! Asks every source of intensities at its own pace.

use std::time::Duration;

use futures::future::{join, join_all};
use tokio::time::{MissedTickBehavior, interval, timeout};
use tracing::{info, warn};

use super::{Context, Message, PollOutcome, task};
use kube_sci_signals::grid::{Answer, IntensitySource, SourceError};

const BEAT: Duration = Duration::from_secs(2);
/// A source that is silent for this long has failed this time.
const PATIENCE: Duration = Duration::from_secs(30);

pub(super) async fn run(sources: Vec<Box<dyn IntensitySource>>, context: Context) {
    let polls = sources.into_iter().enumerate().map(|(number, source)| poll_forever(number, source, &context));
    join(beat(&context), join_all(polls)).await;
}

async fn beat(context: &Context) {
    let mut ticks = interval(BEAT);
    while !context.sender.is_closed() {
        ticks.tick().await;
        (context.heartbeat)(task::GRID);
    }
}

async fn poll_forever(number: usize, mut source: Box<dyn IntensitySource>, context: &Context) {
    let mut ticks = interval(source.period().max(Duration::from_millis(100)));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut last_problem = None;
    loop {
        ticks.tick().await;
        let polled = timeout(PATIENCE, source.poll((context.clock)())).await;
        let polled = polled.unwrap_or_else(|_| Err(SourceError::Other("answer within 30 seconds".to_owned())));
        let outcome = match &polled {
            Ok(Some(_)) => PollOutcome::Changed,
            Ok(None) => PollOutcome::Unchanged,
            Err(_) => PollOutcome::Failed,
        };
        context.metrics.source_polled(source.name(), outcome);
        let answer = match polled {
            Ok(None) => continue,
            Ok(Some(answer)) => {
                last_problem = None;
                report(source.name(), &answer, context);
                Some(answer)
            }
            Err(error) => {
                // The same problem every second is one problem.
                let problem = error.to_string();
                if last_problem.as_ref() == Some(&problem) {
                    continue;
                }
                warn!(source = source.name(), %error, "intensities cannot be read, keeping the old ones");
                last_problem = Some(problem);
                None
            }
        };
        if context.sender.send(Message::Source(number, answer)).await.is_err() {
            return;
        }
    }
}

fn report(source: &str, answer: &Answer, context: &Context) {
    info!(source, series = answer.series.len(), "intensities read");
    if answer.refused_rows > 0 {
        context.metrics.rows_refused(source, answer.refused_rows);
        for problem in &answer.refused {
            warn!(source, line = problem.line, problem = %problem.problem, "row left out");
        }
    }
}
