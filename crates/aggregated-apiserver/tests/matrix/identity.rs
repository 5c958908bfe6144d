//! Who a request is taken for: what is presented, what headers say, and what comes out.

use std::time::{Duration, SystemTime};

use rcgen::ExtendedKeyUsagePurpose;
use serde_json::{Value, json};

use crate::support::{
    client::{Protocol, get, once},
    pki::{DAY, Identity, Leaf, pki},
    world::{RESOURCE, World},
};

/// What the client presents at the handshake.
type Presents = fn() -> Option<Identity>;

enum Outcome {
    /// Reaches the program as this user with exactly these groups.
    User(&'static str, &'static [&'static str]),
    /// 403 for this user.
    Forbidden(&'static str),
    /// 401.
    Unauthorized,
}

use Outcome::{Forbidden, Unauthorized, User};

struct Row(&'static str, Presents, &'static [(&'static str, &'static str)], Outcome);

const AUTHENTICATED: &str = "system:authenticated";
const MASTERS: &str = "system:masters";
const ADA: &[(&str, &str)] = &[("X-Remote-User", "ada")];
const CLAIMS: &[(&str, &str)] = &[("X-Remote-User", "admin"), ("X-Remote-Group", MASTERS)];

fn nothing() -> Option<Identity> {
    None
}

#[allow(clippy::unnecessary_wraps)]
fn proxy() -> Option<Identity> {
    Some(pki().proxy.client("front-proxy-client", &[]))
}

#[allow(clippy::unnecessary_wraps)]
fn carl() -> Option<Identity> {
    Some(pki().cluster.client("carl", &["team"]))
}

fn leaf(name: &str) -> Leaf {
    Leaf::client(name, &[])
}

fn expired(name: &str) -> Leaf {
    Leaf {
        not_before: SystemTime::now() - 3 * DAY,
        not_after: SystemTime::now() - Duration::from_secs(1),
        ..leaf(name)
    }
}

fn early(name: &str) -> Leaf {
    Leaf { not_before: SystemTime::now() + DAY, not_after: SystemTime::now() + 2 * DAY, ..leaf(name) }
}

fn with_usages(name: &str, usages: &[ExtendedKeyUsagePurpose]) -> Leaf {
    Leaf { usages: usages.to_vec(), ..leaf(name) }
}

#[rustfmt::skip]
const ROWS: &[Row] = &[
    // The front proxy speaks for others.
    Row("proxy_names_a_user", proxy, ADA, User("ada", &[AUTHENTICATED])),
    Row("proxy_names_groups", proxy, &[("X-Remote-User", "ada"), ("X-Remote-Group", "a"), ("X-Remote-Group", "b")], User("ada", &["a", "b", AUTHENTICATED])),
    Row("system_authenticated_is_not_added_twice", proxy, &[("X-Remote-User", "ada"), ("X-Remote-Group", AUTHENTICATED)], User("ada", &[AUTHENTICATED])),
    Row("empty_group_is_no_group", proxy, &[("X-Remote-User", "ada"), ("X-Remote-Group", "")], User("ada", &[AUTHENTICATED])),
    Row("first_of_two_users_counts", proxy, &[("X-Remote-User", "ada"), ("X-Remote-User", "root")], User("ada", &[AUTHENTICATED])),
    Row("proxy_without_a_user_is_nobody", proxy, &[("X-Remote-Group", MASTERS)], Unauthorized),
    Row("proxy_with_an_empty_user_is_nobody", proxy, &[("X-Remote-User", ""), ("X-Remote-Group", MASTERS)], Unauthorized),
    Row("proxy_without_headers_is_nobody", proxy, &[], Unauthorized),
    Row("underscores_are_no_dashes", proxy, &[("X_Remote_User", "ada")], Unauthorized),
    Row("user_after_another_first_value_of_nothing", proxy, &[("X-Remote-User", ""), ("X-Remote-User", "ada")], Unauthorized),
    Row("proxied_masters_may_everything", proxy, &[("X-Remote-User", "mallory"), ("X-Remote-Group", MASTERS)], User("mallory", &[MASTERS, AUTHENTICATED])),
    Row("proxied_group_in_other_letters_is_no_master", proxy, &[("X-Remote-User", "mallory"), ("X-Remote-Group", "System:Masters")], Forbidden("mallory")),
    Row("proxied_anonymous_stays_anonymous", proxy, &[("X-Remote-User", "system:anonymous")], Forbidden("system:anonymous")),
    Row("proxied_user_may_be_denied", proxy, &[("X-Remote-User", "mallory")], Forbidden("mallory")),
    Row("proxy_beats_a_token", proxy, &[("X-Remote-User", "ada"), ("Authorization", "Bearer good")], User("ada", &[AUTHENTICATED])),
    Row("proxy_beats_a_bad_token", proxy, &[("X-Remote-User", "ada"), ("Authorization", "Bearer bad")], User("ada", &[AUTHENTICATED])),
    Row("proxy_through_an_intermediate", || { let i = pki().proxy.intermediate("i"); Some(i.client("front-proxy-client", &[]).through(&i)) }, ADA, User("ada", &[AUTHENTICATED])),
    Row("proxy_without_any_usage_is_usable", || Some(pki().proxy.sign(&with_usages("front-proxy-client", &[]))), ADA, User("ada", &[AUTHENTICATED])),
    Row("proxy_for_client_and_server", || Some(pki().proxy.sign(&with_usages("front-proxy-client", &[ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth]))), ADA, User("ada", &[AUTHENTICATED])),
    // Others who would like to.
    Row("no_certificate_and_remote_user_is_anonymous", nothing, CLAIMS, Forbidden("system:anonymous")),
    Row("cluster_client_with_remote_masters_is_no_master", carl, &[("X-Remote-Group", MASTERS)], User("carl", &["team", AUTHENTICATED])),
    Row("cluster_client_with_remote_user_is_itself", carl, CLAIMS, User("carl", &["team", AUTHENTICATED])),
    Row("cluster_client_named_like_the_proxy_is_itself", || Some(pki().cluster.client("front-proxy-client", &[])), CLAIMS, User("front-proxy-client", &[AUTHENTICATED])),
    Row("proxy_authority_with_a_wrong_name", || Some(pki().proxy.client("somebody", &[])), CLAIMS, Unauthorized),
    Row("proxy_authority_with_a_name_that_starts_right", || Some(pki().proxy.client("front-proxy-client.evil", &[])), CLAIMS, Unauthorized),
    Row("proxy_name_in_other_letters", || Some(pki().proxy.client("Front-Proxy-Client", &[])), CLAIMS, Unauthorized),
    Row("proxy_authority_is_no_client_authority", || Some(pki().proxy.client("carl", &[MASTERS])), &[], Unauthorized),
    Row("proxy_name_by_a_rogue_authority", || Some(pki().rogue.client("front-proxy-client", &[])), CLAIMS, Unauthorized),
    Row("proxy_name_self_signed", || Some(leaf("front-proxy-client").self_signed()), CLAIMS, Unauthorized),
    Row("proxy_self_signed_authority", || Some(Leaf { is_authority: true, ..leaf("front-proxy-client") }.self_signed()), CLAIMS, Unauthorized),
    Row("proxy_expired", || Some(pki().proxy.sign(&expired("front-proxy-client"))), CLAIMS, Unauthorized),
    Row("proxy_not_yet_valid", || Some(pki().proxy.sign(&early("front-proxy-client"))), CLAIMS, Unauthorized),
    Row("proxy_for_servers_only", || Some(pki().proxy.sign(&with_usages("front-proxy-client", &[ExtendedKeyUsagePurpose::ServerAuth]))), CLAIMS, Unauthorized),
    Row("proxy_with_a_missing_intermediate", || Some(pki().proxy.intermediate("i").client("front-proxy-client", &[])), CLAIMS, Unauthorized),
    Row("proxy_through_a_leaf_that_plays_authority", || { let i = pki().rogue.intermediate("i"); Some(i.client("front-proxy-client", &[]).through(&i)) }, CLAIMS, Unauthorized),
    Row("proxy_through_too_many_intermediates", || { let (i, j) = (pki().proxy.intermediate("i"), pki().proxy.intermediate("i").intermediate("j")); Some(j.client("front-proxy-client", &[]).through(&j).through(&i)) }, CLAIMS, Unauthorized),
    // Certificates that stand for themselves.
    Row("cluster_client_is_its_name_and_groups", || Some(pki().cluster.client("carl", &["a", "b"])), &[], User("carl", &["a", "b", AUTHENTICATED])),
    Row("cluster_client_of_masters_may_everything", || Some(pki().cluster.client("mallory", &[MASTERS])), &[], User("mallory", &[MASTERS, AUTHENTICATED])),
    Row("cluster_client_through_an_intermediate", || { let i = pki().cluster.intermediate("i"); Some(i.client("carl", &[]).through(&i)) }, &[], User("carl", &[AUTHENTICATED])),
    Row("cluster_client_expired", || Some(pki().cluster.sign(&expired("carl"))), &[], Unauthorized),
    Row("cluster_client_not_yet_valid", || Some(pki().cluster.sign(&early("carl"))), &[], Unauthorized),
    Row("cluster_client_for_servers_only", || Some(pki().cluster.sign(&with_usages("carl", &[ExtendedKeyUsagePurpose::ServerAuth]))), &[], Unauthorized),
    Row("cluster_client_for_signing_code_only", || Some(pki().cluster.sign(&with_usages("carl", &[ExtendedKeyUsagePurpose::CodeSigning]))), &[], Unauthorized),
    Row("cluster_client_without_a_name", || Some(pki().cluster.sign(&Leaf { names: Vec::new(), ..Leaf::client("", &[MASTERS]) })), &[], Unauthorized),
    Row("cluster_client_with_two_names", || Some(pki().cluster.sign(&Leaf { names: vec!["carl".to_owned(), "admin".to_owned()], ..leaf("") })), &[], Unauthorized),
    Row("rogue_client", || Some(pki().rogue.client("admin", &[MASTERS])), &[], Unauthorized),
    Row("self_signed_client", || Some(Leaf::client("admin", &[MASTERS]).self_signed()), &[], Unauthorized),
    // Tokens.
    Row("token_names_a_user", nothing, &[("Authorization", "Bearer good")], User("tia", &["devs", AUTHENTICATED])),
    Row("token_scheme_in_other_letters", nothing, &[("authorization", "bearer good")], User("tia", &["devs", AUTHENTICATED])),
    Row("token_with_smuggled_identity_headers", nothing, &[("Authorization", "Bearer good"), ("X-Remote-User", "admin"), ("X-Remote-Group", MASTERS)], User("tia", &["devs", AUTHENTICATED])),
    Row("token_of_a_master", nothing, &[("Authorization", "Bearer master")], User("mallory", &[MASTERS, AUTHENTICATED])),
    Row("unknown_token", nothing, &[("Authorization", "Bearer bad")], Unauthorized),
    Row("unknown_token_with_identity_headers", nothing, &[("Authorization", "Bearer bad"), ("X-Remote-User", "ada")], Unauthorized),
    Row("two_tokens", nothing, &[("Authorization", "Bearer good"), ("Authorization", "Bearer good")], Unauthorized),
    Row("token_with_a_blank_in_it", nothing, &[("Authorization", "Bearer good bad")], Unauthorized),
    Row("empty_token_is_anonymous", nothing, &[("Authorization", "Bearer ")], Forbidden("system:anonymous")),
    Row("basic_authentication_is_anonymous", nothing, &[("Authorization", "Basic YWRtaW46YWRtaW4=")], Forbidden("system:anonymous")),
    Row("cluster_client_beats_a_bad_token", carl, &[("Authorization", "Bearer bad")], User("carl", &["team", AUTHENTICATED])),
    Row("cluster_client_beats_a_good_token", carl, &[("Authorization", "Bearer good")], User("carl", &["team", AUTHENTICATED])),
    Row("rogue_client_with_a_good_token", || Some(pki().rogue.client("admin", &[MASTERS])), &[("Authorization", "Bearer good")], User("tia", &["devs", AUTHENTICATED])),
    Row("expired_proxy_with_a_good_token_is_the_token", || Some(pki().proxy.sign(&expired("front-proxy-client"))), &[("Authorization", "Bearer good"), ("X-Remote-User", "admin"), ("X-Remote-Group", MASTERS)], User("tia", &["devs", AUTHENTICATED])),
    Row("proxy_without_a_user_with_a_good_token_is_the_token", proxy, &[("Authorization", "Bearer good"), ("X-Remote-Group", MASTERS)], User("tia", &["devs", AUTHENTICATED])),
    Row("nothing_presented_is_anonymous", nothing, &[], Forbidden("system:anonymous")),
];

pub fn names() -> Vec<String> {
    ROWS.iter()
        .map(|Row(name, ..)| (*name).to_owned())
        .chain(EXTRAS.iter().map(|(name, ..)| (*name).to_owned()))
        .collect()
}

async fn world() -> World {
    let world = World::start().await;
    world.cluster.know_token("good", json!({"username": "tia", "groups": ["devs"]}));
    world.cluster.know_token("master", json!({"username": "mallory", "groups": [MASTERS]}));
    world
}

#[tokio::test]
async fn callers_are_who_they_can_prove_to_be() {
    let world = world().await;
    for Row(name, presents, headers, outcome) in ROWS {
        let identity = presents();
        for protocol in [Protocol::Http1, Protocol::Http2] {
            let reply = once(world.address, identity.as_ref(), protocol, get(RESOURCE).headers(headers)).await;
            match outcome {
                User(user, groups) => {
                    assert_eq!(reply.code, 200, "{name}: {}", reply.text());
                    let seen = &reply.json()["user"];
                    assert_eq!((&seen["name"], &seen["groups"]), (&json!(user), &json!(groups)), "{name}");
                }
                Forbidden(user) => {
                    assert_eq!(reply.code, 403, "{name}: {}", reply.text());
                    assert_eq!(reply.reason(403), "Forbidden", "{name}");
                    assert!(
                        reply.text().contains(&format!("User \\\"{user}\\\" cannot get")),
                        "{name}: {}",
                        reply.text()
                    );
                }
                Unauthorized => {
                    assert_eq!(reply.code, 401, "{name}: {}", reply.text());
                    assert_eq!(reply.reason(401), "Unauthorized", "{name}");
                }
            }
        }
    }
    world.stopped().await.unwrap();
}

/// Header names and values as bytes, and what the extras and the UID of the user come out as; `None` for 401.
type Extra = (&'static str, &'static [(&'static str, &'static [u8])], Option<fn() -> Value>);

#[rustfmt::skip]
const EXTRAS: &[Extra] = &[
    ("extra_key_is_percent_decoded", &[("X-Remote-Extra-Authentication.kubernetes.io%2fcredential-Id", b"JTI=1")], Some(|| json!({"authentication.kubernetes.io/credential-id": ["JTI=1"]}))),
    ("extra_key_is_lower_cased", &[("X-Remote-Extra-SCOPES", b"A")], Some(|| json!({"scopes": ["A"]}))),
    ("extra_values_are_all_kept", &[("X-Remote-Extra-a", b"1"), ("X-Remote-Extra-a", b"2"), ("X-Remote-Extra-A", b"3")], Some(|| json!({"a": ["1", "2", "3"]}))),
    ("extra_key_badly_encoded_stays", &[("X-Remote-Extra-a%zz", b"1"), ("X-Remote-Extra-b%2", b"2")], Some(|| json!({"a%zz": ["1"], "b%2": ["2"]}))),
    ("extra_key_is_decoded_once", &[("X-Remote-Extra-a%252fb", b"1")], Some(|| json!({"a%2fb": ["1"]}))),
    ("extra_key_of_no_utf8_stays", &[("X-Remote-Extra-%ff", b"1")], Some(|| json!({"%ff": ["1"]}))),
    ("extra_without_a_key_is_ignored", &[("X-Remote-Extra-", b"1")], Some(|| json!({}))),
    ("extra_value_of_no_utf8_is_refused", &[("X-Remote-Extra-a", b"\xff")], None),
    ("group_of_no_utf8_is_refused", &[("X-Remote-Group", b"\xff\xfe")], None),
];

#[tokio::test]
async fn extras_are_decoded_and_sent_on() {
    let world = world().await;
    for (name, headers, expected) in EXTRAS {
        for protocol in [Protocol::Http1, Protocol::Http2] {
            let ask = headers
                .iter()
                .fold(get(RESOURCE).remote_user("ada", &[]), |ask, (header, value)| ask.raw_header(header, value));
            let mut connection = world.proxy(protocol).await;
            let reply = connection.send(ask).await;
            match expected {
                Some(extra) => assert_eq!(reply.json()["user"]["extra"], extra(), "{name}"),
                None => assert_eq!(reply.reason(401), "Unauthorized", "{name}"),
            }
        }
    }
    world.stopped().await.unwrap();
}
