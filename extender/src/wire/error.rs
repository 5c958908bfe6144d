use actix_web::http::StatusCode;

/// Why a request got no answer. The scheduler logs the text and, with `ignorable: true`, goes on without us.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WireError {
    /// The body is announced as something else.
    #[error("send content type application/json without content encoding, got {0:?}")]
    ContentType(String),
    /// Not UTF-8, hence not JSON.
    #[error("send UTF-8: invalid byte after {valid_up_to} bytes")]
    Encoding {
        /// Bytes that were fine.
        valid_up_to: usize,
    },
    /// Not JSON, or not the shape of `ExtenderArgs`.
    #[error("send an ExtenderArgs document: {0}")]
    Document(#[source] serde_json::Error),
    /// `Pod` is absent or null.
    #[error("send the pod to place as \"Pod\"")]
    PodMissing,
    /// The pod has fields of the wrong type.
    #[error("send \"Pod\" as a core/v1 Pod: {0}")]
    Pod(#[source] serde_json::Error),
    /// Neither form of candidates is there.
    #[error("send candidates as \"NodeNames\" (nodeCacheCapable: true) or as \"Nodes\"")]
    CandidatesMissing,
}

impl WireError {
    /// Every value of [`Self::kind`].
    pub const KINDS: [&'static str; 6] =
        ["content_type", "encoding", "document", "pod_missing", "pod", "candidates_missing"];

    /// A label value for metrics.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::ContentType(_) => "content_type",
            Self::Encoding { .. } => "encoding",
            Self::Document(_) => "document",
            Self::PodMissing => "pod_missing",
            Self::Pod(_) => "pod",
            Self::CandidatesMissing => "candidates_missing",
        }
    }

    /// The HTTP status: anything but 200 makes the scheduler discard the answer.
    pub const fn status(&self) -> StatusCode {
        match self {
            Self::ContentType(_) => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            _ => StatusCode::BAD_REQUEST,
        }
    }
}
