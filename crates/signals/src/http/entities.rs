//! Answers that their service marked, to be asked for only if they changed.

use std::sync::Arc;

use bytes::Bytes;
use moka::future::Cache;
use reqwest::header::HeaderValue;

/// All bodies of one service together.
const MAX_BYTES: u64 = 32 << 20;
/// A larger body is fetched every time.
const MAX_BODY: usize = 4 << 20;
/// What an entry costs beside its body.
const ENTRY: usize = 512;

/// A body and the marks of its version.
#[derive(Debug)]
pub(super) struct Entity {
    pub(super) etag: Option<HeaderValue>,
    pub(super) last_modified: Option<HeaderValue>,
    pub(super) body: Bytes,
}

/// By request.
#[derive(Debug)]
pub(super) struct Entities(Cache<String, Arc<Entity>>);

impl Default for Entities {
    fn default() -> Self {
        let weigher = |key: &String, entity: &Arc<Entity>| {
            u32::try_from(ENTRY + key.len() + entity.body.len()).unwrap_or(u32::MAX)
        };
        Self(Cache::builder().max_capacity(MAX_BYTES).weigher(weigher).build())
    }
}

impl Entities {
    pub(super) async fn get(&self, key: &str) -> Option<Arc<Entity>> {
        self.0.get(key).await
    }

    pub(super) async fn keep(
        &self,
        key: &str,
        etag: Option<&HeaderValue>,
        last_modified: Option<&HeaderValue>,
        body: &Bytes,
    ) {
        if (etag.is_none() && last_modified.is_none()) || body.len() > MAX_BODY {
            self.0.invalidate(key).await;
            return;
        }
        let entity = Entity { etag: etag.cloned(), last_modified: last_modified.cloned(), body: body.clone() };
        self.0.insert(key.to_owned(), Arc::new(entity)).await;
    }
}
