//! Who answers an authorised request: documents of the server itself, probes, or the program.

use std::{borrow::Cow, sync::Arc};

use http::Method;

use super::respond::Answer;
use crate::{
    api::{Api, ApiRequest},
    attributes::{Attributes, MethodError},
    discovery::{Catalogue, Document},
    health::Ready,
    negotiation,
    status::Status,
};

/// Routes authorised requests.
#[derive(Debug)]
pub(crate) struct Router {
    pub(super) api: Program,
    pub(super) catalogue: Catalogue,
    pub(super) ready: Ready,
    pub(super) version: Document,
}

/// The program behind the server.
#[derive(Clone)]
pub(super) struct Program(pub(super) Arc<dyn Api>);

impl Router {
    /// The attributes of what a path stands for, if it is one that stands for a resource.
    pub(super) fn named(&self, method: &Method, mut attributes: Attributes) -> Result<Attributes, MethodError> {
        let resource = attributes.foreign_segments().and_then(|segments| self.api.0.stands_for(&segments));
        if let Some(resource) = resource {
            attributes.stand_for(method, resource)?;
        }
        Ok(attributes)
    }

    /// The name of the group of a resource request, if this server serves it.
    pub(super) fn served(&self, attributes: &Attributes) -> Option<Cow<'static, str>> {
        if !attributes.resource_request || attributes.stands_for || attributes.group.is_empty() {
            return None;
        }
        self.catalogue.served(&attributes.group, &attributes.version)
    }

    pub(super) async fn route(&self, request: ApiRequest) -> Result<Answer, Status> {
        if request.attributes.stands_for {
            return Ok(self.api.0.handle(&request).await?.into());
        }
        if request.attributes.resource_request {
            if self.served(&request.attributes).is_none() {
                return Err(no_such_resource());
            }
            if !negotiation::accepts_json(&request.headers) {
                return Err(only_json());
            }
            return Ok(self.api.0.handle(&request).await?.into());
        }
        let path = request.attributes.path.clone();
        let segments: Vec<&str> = path.split('/').filter(|segment| !segment.is_empty()).collect();
        match segments.as_slice() {
            ["apis"] => self.root(&request),
            ["apis", group] => {
                readable(&request)?;
                json(&request, self.catalogue.current().group(group))
            }
            ["apis", group, version] => {
                readable(&request)?;
                json(&request, self.catalogue.current().version(&format!("{group}/{version}")))
            }
            ["openapi", "v2"] => {
                readable(&request)?;
                json(&request, Some(&self.catalogue.current().openapi_v2))
            }
            ["openapi", "v3"] => {
                readable(&request)?;
                json(&request, Some(&self.catalogue.current().openapi_index))
            }
            ["openapi", "v3", "apis", group, version] => self.openapi_v3(&request, group, version),
            ["version"] => {
                readable(&request)?;
                json(&request, Some(&self.version))
            }
            [probe @ ("healthz" | "livez" | "readyz")] => self.probe(&request, probe, None),
            [probe @ ("healthz" | "livez" | "readyz"), check] => self.probe(&request, probe, Some(check)),
            _ => Ok(self.api.0.handle(&request).await?.into()),
        }
    }

    fn root(&self, request: &ApiRequest) -> Result<Answer, Status> {
        readable(request)?;
        let form = negotiation::discovery_form(&request.headers).ok_or_else(only_json)?;
        Ok(Answer::document(self.catalogue.current().root(form)))
    }

    fn openapi_v3(&self, request: &ApiRequest, group: &str, version: &str) -> Result<Answer, Status> {
        readable(request)?;
        let documents = self.catalogue.current();
        let document = documents.openapi_v3(&format!("apis/{group}/{version}")).ok_or_else(no_such_resource)?;
        let answer = json(request, Some(document))?;
        // The hash of the index names exactly this content.
        let named = request.query("hash").is_some_and(|hash| hash == &*document.etag);
        Ok(if named { answer.immutable() } else { answer })
    }

    fn probe(&self, request: &ApiRequest, probe: &str, check: Option<&str>) -> Result<Answer, Status> {
        readable(request)?;
        let verbose = request.query("verbose").is_some();
        let texts = !request.user.is_anonymous();
        Ok(self.ready.answer(probe, check, verbose, texts)?.into())
    }
}

impl std::fmt::Debug for Program {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Program")
    }
}

fn json(request: &ApiRequest, document: Option<&Document>) -> Result<Answer, Status> {
    let document = document.ok_or_else(no_such_resource)?;
    if negotiation::accepts_json(&request.headers) { Ok(Answer::document(document)) } else { Err(only_json()) }
}

fn readable(request: &ApiRequest) -> Result<(), Status> {
    if matches!(request.method, Method::GET | Method::HEAD) {
        return Ok(());
    }
    Err(Status::method_not_allowed("this can only be read"))
}

fn no_such_resource() -> Status {
    Status::not_found("the server could not find the requested resource")
}

fn only_json() -> Status {
    Status::not_acceptable("only application/json is served")
}
