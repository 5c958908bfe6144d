//! An API server that greets: `kubectl get --raw /apis/greetings.example.dev/v1/namespaces/default/greetings/ada`

use std::{error::Error, sync::Arc};

use aggregated_apiserver::{
    Api, ApiGroup, ApiRequest, ApiResource, ApiResponse, ApiVersion, BoundServer, Delegation, SelfSigned, Server,
    ServerError, ServerOptions, Serving, Status, Verb,
};
use futures::future::BoxFuture;
use serde_json::json;
use tokio_util::sync::CancellationToken;

struct Greetings;

impl Api for Greetings {
    fn groups(&self) -> Vec<ApiGroup> {
        let greetings = ApiResource::namespaced("greetings", "Greeting", &[Verb::Get]);
        vec![ApiGroup::new("greetings.example.dev", vec![ApiVersion::new("v1", vec![greetings])])]
    }

    fn handle<'a>(&'a self, request: &'a ApiRequest) -> BoxFuture<'a, Result<ApiResponse, Status>> {
        Box::pin(async move {
            let wanted = &request.attributes;
            if wanted.resource != "greetings" || wanted.verb != Verb::Get || !wanted.subresource.is_empty() {
                return Err(Status::not_found("only greetings are served, one at a time"));
            }
            ApiResponse::json(&json!({
                "kind": "Greeting",
                "apiVersion": "greetings.example.dev/v1",
                "metadata": {"name": wanted.name, "namespace": wanted.namespace},
                "text": format!("Hello {}, says {}", wanted.name, request.user.name),
            }))
        })
    }
}

/// Everything but the waiting.
pub async fn bind(options: ServerOptions) -> Result<BoundServer, ServerError> {
    Server::bind(options, Arc::new(Greetings)).await
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let client = kube::Client::try_default().await?;
    let services = vec!["v1.greetings.example.dev".to_owned()];
    let serving = Serving::SelfSigned(SelfSigned::new(client.clone(), "greetings", "greetings", services));
    let server = bind(ServerOptions::new("[::]:8443".parse()?, serving, Delegation::new(client))).await?;
    let stop = CancellationToken::new();
    let asked = stop.clone();
    tokio::spawn(async move {
        let _ = tokio::signal::ctrl_c().await;
        asked.cancel();
    });
    Ok(server.run(stop).await?)
}
