//! One page of one agent.

use jiff::Timestamp;

use super::agents::Agent;
use crate::{
    energy::{
        SampleCounts,
        readers::{self, PageReader, ReaderOptions},
        reading::NodePage,
        window::{Exporter, Route},
    },
    exposition::{self, ExpositionError, Format, Options},
    http::{HttpError, HttpService, Request},
};

const ACCEPT: &str = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5,*/*;q=0.1";

/// What an agent said.
#[derive(Debug)]
pub(super) struct Page {
    pub page: NodePage,
    pub counts: SampleCounts,
}

/// Why an agent has no page.
#[derive(Debug, thiserror::Error)]
pub(super) enum PageError {
    #[error(transparent)]
    Http(#[from] HttpError),
    #[error("status {0}; check port and path")]
    Status(u16),
    #[error(transparent)]
    Content(#[from] ExpositionError),
    /// Others took all the time.
    #[error("its turn did not come in this round; raise concurrency or period, or lower timeout")]
    NoTime,
}

/// Asks an agent. `received_at` is asked when the answer is there.
pub(super) async fn fetch(
    http: &HttpService,
    agent: &Agent,
    exporters: &[Exporter],
    received_at: impl Fn() -> Timestamp,
) -> Result<Page, PageError> {
    let answer = http.get_once(&Request::get(&*agent.url).accept(ACCEPT)).await?;
    if !answer.is_success() {
        return Err(PageError::Status(answer.status.as_u16()));
    }
    let format = answer.content_type.as_deref().map_or(Format::Detect, Format::from_content_type);
    let received_at = received_at();
    let mut reader = PageReader::new(exporters, ReaderOptions { route: Route::Scrape, node_label: None });
    let options = Options { format, ..Options::default() };
    let wanted = |name: &str| readers::wanted(exporters, name);
    let counts = exposition::parse_with(&answer.body, options, wanted, |sample| reader.sample(&sample, received_at))?;
    Ok(Page { page: reader.finish(), counts })
}
