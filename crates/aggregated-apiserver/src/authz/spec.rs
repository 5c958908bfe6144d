//! A request as the question of a SubjectAccessReview, and as the text of a refusal.

use std::fmt::Write as _;

use k8s_openapi::{
    api::authorization::v1::{
        FieldSelectorAttributes, LabelSelectorAttributes, NonResourceAttributes, ResourceAttributes,
        SubjectAccessReviewSpec,
    },
    apimachinery::pkg::apis::meta::v1::{FieldSelectorRequirement, LabelSelectorRequirement},
};
use ring::digest::{Context, SHA256};

use crate::{
    attributes::Attributes,
    selector::{FieldSelector, LabelSelector, Operator},
    status::{Details, Status},
    user::UserInfo,
};

/// The question.
pub(super) fn spec(user: &UserInfo, attributes: &Attributes) -> SubjectAccessReviewSpec {
    let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    let extra = user.extra.iter().map(|(key, values)| (key.clone(), values.clone())).collect();
    let mut spec = SubjectAccessReviewSpec {
        user: Some(user.name.clone()),
        uid: some(&user.uid),
        groups: Some(user.groups.clone()),
        extra: (!user.extra.is_empty()).then_some(extra),
        ..SubjectAccessReviewSpec::default()
    };
    let verb = Some(attributes.verb.as_str().to_owned());
    if attributes.resource_request {
        spec.resource_attributes = Some(ResourceAttributes {
            group: some(&attributes.group),
            version: some(&attributes.version),
            namespace: some(&attributes.namespace),
            resource: some(&attributes.resource),
            subresource: some(&attributes.subresource),
            name: some(&attributes.name),
            verb,
            // A selector that cannot be parsed is not sent: the question gets wider, never narrower.
            label_selector: attributes.label_selector.as_ref().and_then(|parsed| parsed.as_ref().ok()).map(labels),
            field_selector: attributes.field_selector.as_ref().and_then(|parsed| parsed.as_ref().ok()).map(fields),
        });
    } else {
        spec.non_resource_attributes = Some(NonResourceAttributes { path: some(&attributes.path), verb });
    }
    spec
}

fn labels(selector: &LabelSelector) -> LabelSelectorAttributes {
    let requirements = selector
        .requirements
        .iter()
        .filter_map(|requirement| {
            let operator = match requirement.operator {
                Operator::In => "In",
                Operator::NotIn => "NotIn",
                Operator::Exists => "Exists",
                Operator::DoesNotExist => "DoesNotExist",
                // The API has no word for them; all requirements must hold, so leaving one out only widens the question.
                Operator::GreaterThan | Operator::LessThan => return None,
            };
            Some(LabelSelectorRequirement {
                key: requirement.key.clone(),
                operator: operator.to_owned(),
                values: (!requirement.values.is_empty()).then(|| requirement.values.clone()),
            })
        })
        .collect();
    LabelSelectorAttributes { requirements: Some(requirements), raw_selector: None }
}

fn fields(selector: &FieldSelector) -> FieldSelectorAttributes {
    let requirements = selector
        .requirements
        .iter()
        .map(|requirement| FieldSelectorRequirement {
            key: requirement.field.clone(),
            operator: if requirement.equal { "In" } else { "NotIn" }.to_owned(),
            values: Some(vec![requirement.value.clone()]),
        })
        .collect();
    FieldSelectorAttributes { requirements: Some(requirements), raw_selector: None }
}

/// Bytes of the question that the caller chose.
pub(super) fn size(attributes: &Attributes) -> usize {
    let selectors = match (&attributes.label_selector, &attributes.field_selector) {
        (None, None) => 0,
        (labels, fields) => {
            let labels = labels.as_ref().and_then(|parsed| parsed.as_ref().ok()).map(|labels| labels.to_string().len());
            let fields = fields.as_ref().and_then(|parsed| parsed.as_ref().ok()).map(|fields| fields.to_string().len());
            labels.unwrap_or(0) + fields.unwrap_or(0)
        }
    };
    texts(attributes).iter().map(|text| text.len()).sum::<usize>() + selectors
}

/// A hash of everything that the question says. Every part has its length before it, so no two questions look alike.
pub(super) fn digest(user: &UserInfo, attributes: &Attributes) -> [u8; 32] {
    let mut hash = Hash(Context::new(&SHA256));
    hash.text(&user.name);
    hash.text(&user.uid);
    hash.list(&user.groups);
    hash.number(user.extra.len());
    for (key, values) in &user.extra {
        hash.text(key);
        hash.list(values);
    }
    hash.number(usize::from(attributes.resource_request));
    hash.text(attributes.verb.as_str());
    for text in texts(attributes) {
        hash.text(text);
    }
    match &attributes.label_selector {
        Some(Ok(selector)) => {
            hash.number(selector.requirements.len() + 1);
            for requirement in &selector.requirements {
                hash.text(&requirement.key);
                hash.number(requirement.operator as usize);
                hash.list(&requirement.values);
            }
        }
        _ => hash.number(0),
    }
    match &attributes.field_selector {
        Some(Ok(selector)) => {
            hash.number(selector.requirements.len() + 1);
            for requirement in &selector.requirements {
                hash.text(&requirement.field);
                hash.number(usize::from(requirement.equal));
                hash.text(&requirement.value);
            }
        }
        _ => hash.number(0),
    }
    hash.finish()
}

/// Path for nonresource requests only: for others it says nothing new, and two spellings share an answer.
fn texts(attributes: &Attributes) -> [&str; 7] {
    [
        &attributes.group,
        &attributes.version,
        &attributes.namespace,
        &attributes.resource,
        &attributes.subresource,
        &attributes.name,
        if attributes.resource_request { "" } else { &attributes.path },
    ]
}

struct Hash(Context);

impl Hash {
    fn number(&mut self, number: usize) {
        self.0.update(&(number as u64).to_be_bytes());
    }

    fn text(&mut self, text: &str) {
        self.number(text.len());
        self.0.update(text.as_bytes());
    }

    fn list(&mut self, texts: &[String]) {
        self.number(texts.len());
        for text in texts {
            self.text(text);
        }
    }

    fn finish(self) -> [u8; 32] {
        self.0.finish().as_ref().try_into().unwrap_or_default()
    }
}

/// The refusal, in the words that users of the API server know.
pub(super) fn forbidden(user: &UserInfo, attributes: &Attributes, reason: &str) -> Status {
    let verb = attributes.verb;
    let mut text = String::with_capacity(160);
    // Writing to a String cannot fail.
    if attributes.resource_request {
        let Attributes { group, namespace, resource, subresource, name, .. } = attributes;
        let qualified = if group.is_empty() { resource.clone() } else { format!("{resource}.{group}") };
        let sub = if subresource.is_empty() { String::new() } else { format!("/{subresource}") };
        let _ = write!(text, "{qualified}");
        if !name.is_empty() {
            let _ = write!(text, " {name:?}");
        }
        let _ = write!(text, " is forbidden: User {:?} cannot {verb} resource \"{resource}{sub}\"", user.name);
        let _ = write!(text, " in API group {group:?}");
        let _ = match namespace.as_str() {
            "" => write!(text, " at the cluster scope"),
            namespace => write!(text, " in the namespace {namespace:?}"),
        };
    } else {
        let _ = write!(text, "forbidden: User {:?} cannot {verb} path {:?}", user.name, attributes.path);
    }
    if !reason.is_empty() {
        let _ = write!(text, ": {reason}");
    }
    let status = Status::forbidden(text);
    if !attributes.resource_request {
        return status;
    }
    status.with_details(Details {
        name: attributes.name.clone(),
        group: attributes.group.clone(),
        kind: attributes.resource.clone(),
    })
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use http::Method;

    use super::*;
    use crate::attributes::{path::DecodedPath, query};

    fn attributes(target: &str) -> Attributes {
        let (path, rest) = target.split_once('?').unwrap_or((target, ""));
        Attributes::derive(&Method::GET, DecodedPath::parse(path).unwrap(), &query::parse(rest)).unwrap()
    }

    fn ada() -> UserInfo {
        UserInfo {
            name: "ada".to_owned(),
            uid: "7".to_owned(),
            groups: vec!["a".to_owned(), "b".to_owned()],
            extra: [("scopes".to_owned(), vec!["x".to_owned()])].into(),
        }
    }

    #[test]
    fn the_question_says_everything() {
        let list = attributes("/apis/g/v/namespaces/ns/m?labelSelector=a%3Db,c%3E1,!d&fieldSelector=x!%3Dy");
        let json = serde_json::to_value(spec(&ada(), &list)).unwrap();
        assert_eq!(
            json,
            serde_json::json!({
                "user": "ada", "uid": "7", "groups": ["a", "b"], "extra": {"scopes": ["x"]},
                "resourceAttributes": {
                    "group": "g", "version": "v", "namespace": "ns", "resource": "m", "verb": "list",
                    "labelSelector": {"requirements": [
                        {"key": "a", "operator": "In", "values": ["b"]}, {"key": "d", "operator": "DoesNotExist"}]},
                    "fieldSelector": {"requirements": [{"key": "x", "operator": "NotIn", "values": ["y"]}]},
                },
            })
        );
        let path = serde_json::to_value(spec(&ada(), &attributes("/explain/x"))).unwrap();
        assert_eq!(path["nonResourceAttributes"], serde_json::json!({"path": "/explain/x", "verb": "get"}));
        assert!(path.get("resourceAttributes").is_none());
    }

    #[test]
    fn different_questions_have_different_hashes() {
        let user = ada();
        let shifted = UserInfo { groups: vec!["ab".to_owned()], ..ada() };
        let without_uid = UserInfo { uid: String::new(), ..ada() };
        let mut more = ada();
        more.extra.insert("scopes".to_owned(), vec!["x".to_owned(), "y".to_owned()]);
        let targets = [
            "/apis",
            "/apis/g",
            "/apis/g/v/m",
            "/apis/g/v/m/n",
            "/apis/g/v/m/n/s",
            "/apis/g/v/namespaces/m/n/s",
            "/apis/g/v/namespaces/ns/m/n",
            "/apis/g/v/m?watch=1",
            "/apis/g/v/m?labelSelector=a",
            "/apis/g/v/m?labelSelector=!a",
            "/apis/g/v/m?labelSelector=a%3D",
            "/apis/g/v/m?fieldSelector=a%3Db",
            "/apis/g/v/m?fieldSelector=a!%3Db",
        ];
        let mut seen = HashSet::new();
        for target in targets {
            for user in [&user, &shifted, &without_uid, &more] {
                assert!(seen.insert(digest(user, &attributes(target))), "{target}");
            }
        }
        assert_eq!(digest(&user, &attributes("/apis/g/v/m")), digest(&user, &attributes("/apis/g/v/m?x=1")));
    }

    #[test]
    fn refusals_use_the_words_of_the_api_server() {
        let cases = [
            (
                "/apis/g.dev/v/namespaces/ns/pods/p/m",
                "pods.g.dev \"p\" is forbidden: User \"ada\" cannot get resource \"pods/m\" in API group \"g.dev\" in the namespace \"ns\"",
            ),
            (
                "/apis/g.dev/v/nodes",
                "nodes.g.dev is forbidden: User \"ada\" cannot list resource \"nodes\" in API group \"g.dev\" at the cluster scope",
            ),
            ("/explain", "forbidden: User \"ada\" cannot get path \"/explain\""),
        ];
        for (target, expected) in cases {
            assert_eq!(forbidden(&ada(), &attributes(target), "").message(), expected);
        }
        assert!(forbidden(&ada(), &attributes("/x"), "no role").message().ends_with(": no role"));
    }

    #[test]
    fn selectors_count_as_size() {
        let long = format!("/apis/g/v/m?labelSelector=a+in+({})", vec!["x".repeat(60); 200].join(","));
        assert!(size(&attributes(&long)) < 100, "repetitions are one value");
        let values: Vec<String> = (0..2000).map(|n| format!("value-{n}")).collect();
        assert!(size(&attributes(&format!("/apis/g/v/m?labelSelector=a+in+({})", values.join(",")))) > 10_000);
    }
}
