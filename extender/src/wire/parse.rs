use std::{borrow::Cow, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{self, IgnoredAny, MapAccess, SeqAccess, Visitor},
};
use serde_json::value::RawValue;

use super::{Candidates, FullNode, Request, WireError, text::Text};

/// Reads one `ExtenderArgs` document.
///
/// `NodeNames` wins over `Nodes` where both are present, as in the scheduler's reading of our answers.
///
/// # Errors
/// [`WireError`] for bytes that are no such document; never panics.
pub fn parse(body: &[u8]) -> Result<Request<'_>, WireError> {
    // One pass over the body here spares a check per string later.
    let text = std::str::from_utf8(body).map_err(|error| WireError::Encoding { valid_up_to: error.valid_up_to() })?;
    let args: Args<'_> = serde_json::from_str(text).map_err(WireError::Document)?;
    let pod = args.pod.ok_or(WireError::PodMissing)?;
    let candidates = match (args.node_names, args.nodes) {
        (Some(names), _) => Candidates::Names(names.0),
        (None, Some(nodes)) => Candidates::Nodes(nodes.0),
        (None, None) => return Err(WireError::CandidatesMissing),
    };
    Ok(Request { pod, candidates })
}

#[derive(Default)]
struct Args<'a> {
    pod: Option<&'a RawValue>,
    nodes: Option<NodeItems<'a>>,
    node_names: Option<Names<'a>>,
}

impl<'de: 'a, 'a> Deserialize<'de> for Args<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ArgsVisitor)
    }
}

struct ArgsVisitor;

impl<'de> Visitor<'de> for ArgsVisitor {
    type Value = Args<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with Pod and NodeNames or Nodes")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut args = Args::default();
        while let Some(Text(key)) = map.next_key()? {
            if key.eq_ignore_ascii_case("pod") {
                args.pod = map.next_value::<Option<&'de RawValue>>()?.filter(|raw| raw.get() != "null");
            } else if key.eq_ignore_ascii_case("nodenames") {
                args.node_names = map.next_value()?;
            } else if key.eq_ignore_ascii_case("nodes") {
                args.nodes = map.next_value()?;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(args)
    }
}

struct Names<'a>(Vec<Cow<'a, str>>);

impl<'de: 'a, 'a> Deserialize<'de> for Names<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(NamesVisitor)
    }
}

struct NamesVisitor;

impl<'de> Visitor<'de> for NamesVisitor {
    type Value = Names<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of node names")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        // The scheduler offers at least 100 nodes where the cluster has them.
        let mut names = Vec::with_capacity(128);
        while let Some(Text(name)) = items.next_element()? {
            names.push(name);
        }
        Ok(Names(names))
    }
}

struct NodeItems<'a>(Vec<FullNode<'a>>);

impl<'de: 'a, 'a> Deserialize<'de> for NodeItems<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(NodeListVisitor)
    }
}

struct NodeListVisitor;

impl<'de> Visitor<'de> for NodeListVisitor {
    type Value = NodeItems<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a core/v1 NodeList")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut items = Vec::new();
        while let Some(Text(key)) = map.next_key()? {
            if key.eq_ignore_ascii_case("items") {
                items = map.next_value::<Option<Vec<&'de RawValue>>>()?.unwrap_or_default();
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        items.into_iter().map(full_node).collect::<Result<_, _>>().map(NodeItems).map_err(de::Error::custom)
    }
}

fn full_node(raw: &RawValue) -> Result<FullNode<'_>, serde_json::Error> {
    let node: NodeName<'_> = serde_json::from_str(raw.get())?;
    Ok(FullNode { name: node.metadata.name.0, raw })
}

#[derive(Deserialize)]
struct NodeName<'a> {
    #[serde(borrow)]
    metadata: NodeMetadata<'a>,
}

#[derive(Deserialize)]
struct NodeMetadata<'a> {
    #[serde(borrow)]
    name: Text<'a>,
}
